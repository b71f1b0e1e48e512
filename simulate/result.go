package simulate

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	numbers "countersign/phone"
)

// epoch is when every run begins: a Monday.
var epoch = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// Result is what became of one scenario.
type Result struct {
	Name   string
	Seed   uint64
	Policy string
	Attack Attack
	Honest Honest
	Owner  Owner

	perTarget map[string]int // attack messages, by target range and day
	chart     *chart
}

// Attack is what the attackers got.
type Attack struct {
	Attempts int
	Sent     int // messages that went out
	Refused  int
	Held     int // numbers that he really holds, where he enters codes

	Money   int64 // what the messages cost, in millionths of the price table's currency
	Guesses int   // codes that were guessed at: each is right with a chance of one in a million
	Worst   int   // the most messages that one prefix (all but the last three digits of a number) got in a day
}

// Honest is how the others fared.
type Honest struct {
	Starts     int // starts and resends
	Refused    int // outright, by the guard or by the bounds of their phone; a cooldown is not counted
	Challenged int // had to let their device compute, which nobody notices at the base difficulty
}

// Owner is a person under attack who comes with a device that has proved the number.
type Owner struct{ Tries, GotIn int }

// target books an attack's message by where it went.
func (r *Result) target(n numbers.Number, at time.Time) {
	if r.perTarget == nil {
		r.perTarget = map[string]int{}
	}
	text := n.E164()
	key := text[:len(text)-3] + " " + strconv.Itoa(int(at.Sub(epoch).Hours()/24))
	r.perTarget[key]++
	r.Attack.Worst = max(r.Attack.Worst, r.perTarget[key])
}

// MarshalJSON writes the shape that programs read (contract, "The guard"); money is in units of the currency.
func (r *Result) MarshalJSON() ([]byte, error) {
	type attack struct {
		Attempts int         `json:"attempts"`
		Sent     int         `json:"sent"`
		Refused  int         `json:"refused"`
		Money    json.Number `json:"money"`
		Worst    int         `json:"worst_prefix_day"`
		Guesses  int         `json:"guesses"`
	}
	type honest struct {
		Starts     int `json:"starts"`
		Refused    int `json:"refused"`
		Challenged int `json:"challenged"`
	}
	return json.Marshal(struct {
		Name   string `json:"name"`
		Seed   uint64 `json:"seed"`
		Policy string `json:"policy,omitempty"`
		Attack attack `json:"attack"`
		Honest honest `json:"honest"`
	}{
		r.Name, r.Seed, r.Policy,
		attack{r.Attack.Attempts, r.Attack.Sent, r.Attack.Refused, json.Number(decimal(r.Attack.Money)), r.Attack.Worst, r.Attack.Guesses},
		honest{r.Honest.Starts, r.Honest.Refused, r.Honest.Challenged},
	})
}

// decimal writes millionths with two decimals, rounded.
func decimal(millionths int64) string {
	cents := (millionths + 5000) / 10_000
	return fmt.Sprintf("%d.%02d", cents/100, cents%100)
}

// chart is an attack over time, in slots of ten minutes.
type chart struct {
	began time.Time
	slots []slot
}

type slot struct{ attempts, sent int }

const slotSpan = 10 * time.Minute

func (c *chart) at(t time.Time) *slot {
	n := int(t.Sub(c.began) / slotSpan)
	for len(c.slots) <= n {
		c.slots = append(c.slots, slot{})
	}
	return &c.slots[n]
}

func (c *chart) attempt(t time.Time) { c.at(t).attempts++ }
func (c *chart) sent(t time.Time)    { c.at(t).sent++ }
