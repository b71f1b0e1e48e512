-- Which guesses could be a record's code at all: FitsShape of the engine, and for a hosted record what its vendor
-- may have sent.

local function fits(r, shape, n)
  if r[R_HOSTED] == '' then
    if n ~= r[R_LENGTH] then return false end
    if r[R_ALPHABET] == DIGITS then return shape == SHAPE_DIGITS end
    if r[R_ALPHABET] == LETTERS then return shape == SHAPE_LETTERS end
    return shape == SHAPE_DIGITS or shape == SHAPE_LETTERS or shape == SHAPE_MIXED
  end
  if r[R_CHANNEL] == 'flashcall' then
    return shape == SHAPE_CALLER or (shape == SHAPE_DIGITS and n >= 4 and n <= 15)
  end
  return shape ~= SHAPE_CALLER and n >= 4 and n <= 10
end

-- count books a guess on the phone or, where its guesses are used up, on the device. It returns the streak before it.
local function count()
  local before = p[P_STREAK]
  if #p[P_GUESSES] >= PHONE_GUESSES and own then
    push(own[O_GUESSES], now)
    keep()
  else
    push(p[P_GUESSES], now)
  end
  p[P_STREAK], p[P_WRONG] = before + 1, now
  return before
end
