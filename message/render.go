package message

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"countersign"
)

// Render implements countersign.Texts. What a transaction names is checked here, and a fault in it is a
// *countersign.Error that points at the member. A channel that shows nothing has an empty text.
func (c *Catalog) Render(in countersign.Text) (countersign.Rendered, error) {
	p, ok := purposeOf(in.Purpose)
	if !ok {
		return countersign.Rendered{}, fmt.Errorf("rendering a message: %q is no purpose", in.Purpose)
	}
	if (p == purposeTransaction) != (in.Transaction != nil) {
		return countersign.Rendered{}, errors.New("rendering a message: the purpose transaction and a transaction go together")
	}
	v := values{fieldCode: in.Code, fieldMinutes: minutes(in.Lifetime)}
	if in.Transaction != nil {
		if err := checkTransaction(in.Transaction); err != nil {
			return countersign.Rendered{}, err
		}
		v[fieldPayee], v[fieldAmount], v[fieldCurrency] = in.Transaction.Payee, in.Transaction.Amount, in.Transaction.Currency
	}
	k, ok := kindOf(in.Channel)
	if !ok {
		s := &c.sets[p][kindSMS]
		return countersign.Rendered{Locale: s.texts[s.chooser.choose(in.Locale)].locale}, nil
	}
	s := &c.sets[p][k]
	t := &s.texts[s.chooser.choose(in.Locale)]
	if k == kindVoice {
		v[fieldCode] = spoken(in.Code, t.pause)
	}
	out := countersign.Rendered{Locale: t.locale, Body: string(t.body.render(make([]byte, 0, 256), &v))}
	if k == kindMail {
		out.Subject = string(t.subject.render(make([]byte, 0, 64), &v))
	}
	if k == kindSMS && p == purposeTransaction {
		return out, c.fits(out.Body)
	}
	return out, nil
}

func checkTransaction(t *countersign.Transaction) error {
	if err := CheckPayee(t.Payee); err != nil {
		return err
	}
	if err := CheckAmount(t.Amount); err != nil {
		return err
	}
	return CheckCurrency(t.Currency)
}

// fits refuses a payee whose letters make the message longer than it may be: New reckons with letters of GSM-7.
func (c *Catalog) fits(body string) error {
	n := Segments(body)
	if n.Segments <= c.segments[purposeTransaction] {
		return nil
	}
	return &countersign.Error{
		Kind: countersign.ErrInvalidRequest, Pointer: "/transaction/payee",
		Detail: fmt.Sprintf("The message would take %d segments, more than are allowed. Shorten the payee, or write it in Latin letters without rare accents.", n.Segments),
	}
}

// minutes is how long a code still lives, in whole ones; what is less than one is called one.
func minutes(d time.Duration) string { return strconv.Itoa(max(1, int(d/time.Minute))) }

// spoken puts a pause between the characters of a code, so that they are read one by one.
func spoken(code, pause string) string {
	b := make([]byte, 0, len(code)*(1+len(pause)))
	for i := range len(code) {
		if i > 0 {
			b = append(b, pause...)
		}
		b = append(b, code[i])
	}
	return string(b)
}
