package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// What the message shows and the proof binds is judged by the texts, whatever face it came by.
func TestTransactionsAreChecked(t *testing.T) {
	i := newPlace(t, quiet).node(t)
	for _, tt := range []struct{ payee, amount, currency, pointer string }{
		{"a\nb", "1", "EUR", "/transaction/payee"},
		{strings.Repeat("a", 33), "1", "EUR", "/transaction/payee"},
		{"a", "01", "EUR", "/transaction/amount"},
		{"a", "1,5", "EUR", "/transaction/amount"},
		{"a", "1", "eur", "/transaction/currency"},
	} {
		r := i.mustPost("/v1/verifications", fmt.Sprintf(
			`{"to":"+14155550123","purpose":"transaction","transaction":{"payee":%q,"amount":%q,"currency":%q}}`, tt.payee, tt.amount, tt.currency))
		if r.status != http.StatusBadRequest || r.text("code") != "invalid_request" || !strings.Contains(fmt.Sprint(r.body["errors"]), tt.pointer) {
			t.Errorf("%+v: %d %v", tt, r.status, r.body)
		}
	}
	if n := i.messages(""); n != 0 {
		t.Errorf("%d messages went out", n)
	}
}
