package httpapi

import (
	"reflect"
	"testing"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"
)

// The text that a verification writes of itself is the encoder's, whatever its members are. A member that is added to
// the struct and not to appendJSON fails here.
func TestAppendedIsMarshaled(t *testing.T) {
	texts := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "<&>\u2028\x00\"\\", "+46701740615"}))
	maybe := rapid.Ptr(texts, true)
	fill := func(t *rapid.T, v reflect.Value) {
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if name == "_" {
				continue // for the API's description
			}
			switch f := v.Field(i); p := f.Addr().Interface().(type) {
			case *string:
				*p = texts.Draw(t, name)
			case **string:
				*p = maybe.Draw(t, name)
			case *int:
				*p = rapid.Int().Draw(t, name)
			case *map[string]string:
				*p = rapid.MapOfN(rapid.StringN(1, 4, 8), rapid.String(), 0, 1).Draw(t, name)
			case **transactionBody:
				if rapid.Bool().Draw(t, name) {
					*p = &transactionBody{Payee: "A", Amount: "1.00", Currency: "EUR"}
				}
			case *[]delivery:
			default:
				t.Fatalf("the member %s is of a kind that this test does not fill in", name)
			}
		}
	}
	appended := 0
	rapid.Check(t, func(t *rapid.T) {
		var v verification
		fill(t, reflect.ValueOf(&v).Elem())
		if n := rapid.IntRange(-1, 2).Draw(t, "deliveries"); n >= 0 {
			v.Deliveries = make([]delivery, n)
			for i := range v.Deliveries {
				fill(t, reflect.ValueOf(&v.Deliveries[i]).Elem())
			}
		}
		want, err := json.Marshal(&v)
		got, ok := v.appendJSON()
		if ok {
			appended++
		}
		if ok && (err != nil || string(got) != string(want)) {
			t.Fatalf("appended:\n%s\nmarshaled:\n%s, %v", got, want, err)
		}
	})
	if appended == 0 {
		t.Error("no value wrote itself: nothing was compared")
	}
	if b, ok := (&verification{App: "\xff"}).appendJSON(); ok {
		t.Errorf("text that is not UTF-8 was written: %q", b)
	}
}
