package config

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"countersign/phone"
)

// TestNumber is a number with a code that somebody was told: for the reviewers of app stores, and for tests.
type TestNumber struct {
	Code    string
	Expires time.Time
}

// maxTestNumberLife is how long a number may have a fixed code.
const maxTestNumberLife = 90 * 24 * time.Hour

func testNumberSettings() []Setting {
	return []Setting{
		{Path: "apps.*.test_numbers.*.code", NoEnv: true, Secret: true, Doc: "The fixed code of a number that is never sent to (docs/testing.md): `test_numbers: {\"+14155550100\": {code: \"493817\", expires: 2027-03-01}}`. Whoever knows it holds the number.", set: ofTestNumber(func(t *TestNumber, text string) error {
			t.Code = text
			return nil
		})},
		{Path: "apps.*.test_numbers.*.expires", NoEnv: true, Doc: "The day from which on it is a number like any other, at most 90 days ahead.", set: ofTestNumber(func(t *TestNumber, text string) (err error) {
			if t.Expires, err = time.Parse(time.DateOnly, text); err != nil {
				if t.Expires, err = time.Parse(time.RFC3339, text); err != nil {
					return fmt.Errorf("expected a day such as 2027-03-01")
				}
			}
			return nil
		})},
	}
}

func ofTestNumber(set func(*TestNumber, string) error) func(*Config, []string, value) error {
	return func(c *Config, names []string, v value) error {
		a, err := c.app(names[0])
		if err != nil {
			return err
		}
		if _, err := phone.FromE164(names[1]); err != nil {
			return fmt.Errorf("expected a number in E.164, such as +14155550100, in quotes")
		}
		if a.TestNumbers == nil {
			a.TestNumbers = map[string]*TestNumber{}
		}
		if a.TestNumbers[names[1]] == nil {
			a.TestNumbers[names[1]] = &TestNumber{}
		}
		return set(a.TestNumbers[names[1]], v.text())
	}
}

// checkTestNumbers wants a code and a day. A day that has passed is no mistake: the number is then an ordinary one, and an
// instance must start again in a year with the file that it has.
func (c *Config) checkTestNumbers(bad func(format string, args ...any)) {
	for _, id := range slices.Sorted(maps.Keys(c.Apps)) {
		for _, number := range slices.Sorted(maps.Keys(c.Apps[id].TestNumbers)) {
			t := c.Apps[id].TestNumbers[number]
			path := "apps." + id + ".test_numbers." + number
			switch {
			case t.Code == "":
				bad("%s.code: required", path)
			case t.Expires.IsZero():
				bad("%s.expires: required: the day from which on the number is like any other, at most 90 days ahead", path)
			case time.Until(t.Expires) > maxTestNumberLife:
				bad("%s.expires: at most 90 days ahead", path)
			}
		}
	}
}
