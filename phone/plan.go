package phone

import (
	"regexp"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// This file asks the library's numbering plans for a number's region and type at once. The library answers each
// question by itself, so it goes through a region's patterns three times and matches each of them twice. The rules
// here are its own (GetRegionCodeForNumber and GetNumberType); the tests hold every answer to what it says.

// plan is a region's numbering plan.
type plan struct {
	meta    *phonenumbers.PhoneMetadata
	compile sync.Once // patterns are compiled when the first number of the region comes

	leading       *regexp.Regexp // tells the region among those of a country code; nil: any number of a known type is its own
	general       pattern
	special       []special // what has a type of its own; the first that matches counts
	fixed, mobile pattern
	same          bool // mobile numbers look like fixed ones
}

type special struct {
	pattern
	kind LineType
}

// pattern is which numbers there are. The zero pattern has none.
type pattern struct {
	lengths uint32 // a bit for each possible length; zero: any
	digits  *regexp.Regexp
}

func newPattern(d *phonenumbers.PhoneNumberDesc) pattern {
	text := d.GetNationalNumberPattern()
	if text == "" {
		return pattern{}
	}
	p := pattern{digits: regexp.MustCompile("^(?:" + text + ")$")} // of the library's own, which compile
	for _, n := range d.GetPossibleLength() {
		// A length of -1 says that there is none: bit 0 is no number's length.
		p.lengths |= 1 << max(n, 0)
	}
	return p
}

func (p *pattern) has(national string) bool {
	return p.digits != nil && (p.lengths == 0 || p.lengths>>len(national)&1 == 1) && p.digits.MatchString(national)
}

func (p *plan) ready() *plan {
	p.compile.Do(func() {
		m := p.meta
		if text := m.GetLeadingDigits(); text != "" {
			p.leading = regexp.MustCompile("^(?:" + text + ")")
		}
		p.general, p.fixed, p.mobile = newPattern(m.GetGeneralDesc()), newPattern(m.GetFixedLine()), newPattern(m.GetMobile())
		p.same = m.GetSameMobileAndFixedLinePattern()
		for _, s := range []special{
			{newPattern(m.GetPremiumRate()), Premium},
			{newPattern(m.GetTollFree()), TollFree},
			{newPattern(m.GetSharedCost()), SharedCost},
			{newPattern(m.GetVoip()), VoIP},
			{newPattern(m.GetPersonalNumber()), Personal},
			{newPattern(m.GetPager()), Pager},
			{newPattern(m.GetUan()), UAN},
			{newPattern(m.GetVoicemail()), Voicemail},
		} {
			if s.digits != nil {
				p.special = append(p.special, s)
			}
		}
	})
	return p
}

// kind is a national number's type, or Unknown when the plan has no such number.
func (p *plan) kind(national string) LineType {
	if !p.general.has(national) {
		return Unknown
	}
	for i := range p.special {
		if p.special[i].has(national) {
			return p.special[i].kind
		}
	}
	switch {
	case p.fixed.has(national):
		if p.same || p.mobile.has(national) {
			return FixedOrMobile
		}
		return FixedLine
	case !p.same && p.mobile.has(national):
		return Mobile
	}
	return Unknown
}

// plansByCode are the plans of each country code, in the library's order: the main region comes first.
var plansByCode = sync.OnceValue(func() map[int32][]*plan {
	all, err := phonenumbers.MetadataCollection()
	if err != nil {
		return nil // the library's own data; without it nothing is a number
	}
	named := make(map[string]*plan)
	codes := make(map[int32][]*plan)
	for _, m := range all.GetMetadata() {
		if m.GetId() == nonGeographic {
			codes[m.GetCountryCode()] = []*plan{{meta: m}}
		} else {
			named[m.GetId()] = &plan{meta: m}
		}
	}
	for code := range phonenumbers.GetSupportedCallingCodes() {
		for _, region := range phonenumbers.GetRegionCodesForCountryCode(code) {
			if p := named[region]; p != nil {
				codes[int32(code)] = append(codes[int32(code)], p)
			}
		}
	}
	return codes
})

// nonGeographic is the region of the global networks.
const nonGeographic = "001"

// regionAndKind finds a number's region and type. Unknown is no number.
func regionAndKind(code int32, national string) (string, LineType) {
	plans := plansByCode()[code]
	for _, p := range plans {
		p.ready()
		if len(plans) > 1 && p.leading != nil && !p.leading.MatchString(national) {
			continue
		}
		kind := p.kind(national)
		if kind != Unknown || len(plans) == 1 || p.leading != nil {
			return p.meta.GetId(), kind
		}
	}
	return "", Unknown
}
