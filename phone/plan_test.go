package phone_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/nyaruka/phonenumbers"

	"countersign/phone"
)

// said is what the library finds out about a number with its country code.
func said(text string) string {
	p, err := phonenumbers.Parse(text, "")
	if err != nil {
		return "none"
	}
	kind := phonenumbers.GetNumberType(p)
	if kind == phonenumbers.UNKNOWN {
		return "none"
	}
	names := map[phonenumbers.PhoneNumberType]phone.LineType{
		phonenumbers.MOBILE: phone.Mobile, phonenumbers.FIXED_LINE: phone.FixedLine, phonenumbers.FIXED_LINE_OR_MOBILE: phone.FixedOrMobile,
		phonenumbers.TOLL_FREE: phone.TollFree, phonenumbers.PREMIUM_RATE: phone.Premium, phonenumbers.SHARED_COST: phone.SharedCost,
		phonenumbers.VOIP: phone.VoIP, phonenumbers.PERSONAL_NUMBER: phone.Personal, phonenumbers.PAGER: phone.Pager,
		phonenumbers.UAN: phone.UAN, phonenumbers.VOICEMAIL: phone.Voicemail,
	}
	return fmt.Sprint(phonenumbers.Format(p, phonenumbers.E164), phonenumbers.GetRegionCodeForNumber(p), p.GetCountryCode(), names[kind])
}

func found(text string) string {
	n, err := phone.Parse(text, "")
	if err != nil {
		return "none"
	}
	return fmt.Sprint(n.E164(), n.Region(), n.CountryCode(), n.Type())
}

// What this package finds in the plans is what the library finds, in every country code: examples of every type, and
// numbers that differ from them in a few digits or in length.
func TestPlansSayWhatTheLibrarySays(t *testing.T) {
	all, err := phonenumbers.MetadataCollection()
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	numbers, valid := 0, 0
	for _, m := range all.GetMetadata() {
		for _, d := range []*phonenumbers.PhoneNumberDesc{
			m.GetGeneralDesc(), m.GetFixedLine(), m.GetMobile(), m.GetTollFree(), m.GetPremiumRate(), m.GetSharedCost(),
			m.GetPersonalNumber(), m.GetVoip(), m.GetPager(), m.GetUan(), m.GetVoicemail(),
		} {
			example := d.GetExampleNumber()
			if example == "" {
				continue
			}
			for i := range 12 {
				digits := []byte(example)
				for range i % 6 {
					digits[random.IntN(len(digits))] = '0' + byte(random.IntN(10))
				}
				switch {
				case i%12 == 7:
					digits = digits[:len(digits)-1]
				case i%12 == 11:
					digits = append(digits, '0'+byte(random.IntN(10)))
				}
				text := fmt.Sprintf("+%d%s", m.GetCountryCode(), digits)
				want := said(text)
				if got := found(text); got != want {
					t.Errorf("%s is %s, the library says %s", text, got, want)
				}
				numbers++
				if want != "none" {
					valid++
				}
			}
		}
	}
	if numbers < 10_000 || valid < numbers/4 {
		t.Errorf("only %d numbers, %d of them valid, were compared", numbers, valid)
	}
}
