// Package hidden has text that does not print: what adapters sign in to their vendors with.
package hidden

import "log/slog"

// Shown is what stands wherever a Text is printed, logged or encoded.
const Shown = "(secret)"

// Text is text that prints as "(secret)". What needs the text itself converts it to a string, where that is seen.
type Text string

// String hides the text.
func (Text) String() string { return Shown }

// GoString hides the text from %#v.
func (Text) GoString() string { return Shown }

// LogValue hides the text from slog.
func (Text) LogValue() slog.Value { return slog.StringValue(Shown) }

// MarshalText hides the text from every encoder.
func (Text) MarshalText() ([]byte, error) { return []byte(Shown), nil }
