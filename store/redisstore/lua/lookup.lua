-- Lookup reads a record and its phone. That the record's time ran out is computed by who asked; nothing is written.

return open('') or answer(RES_OK)
