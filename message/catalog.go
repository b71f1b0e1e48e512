package message

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"countersign"
)

// Options say how an app's messages read.
type Options struct {
	Name   string // the app's name in messages; see CheckName
	Locale string // the language when the asked one is not there; default "en"

	// Origin is the host whose pages may fill the code in, such as login.example.com. "" leaves the line out.
	Origin string
	// AndroidHash is the hash of the Android app that may read the message. "" leaves it out.
	AndroidHash string

	CodeLength    int // characters of the longest code; default 6
	AllowSegments int // messages that one text may take; default 1; transactions may take one more

	Overrides []Override
}

// Override is an app's own text.
type Override struct {
	Purpose countersign.Purpose
	Channel countersign.Channel // sms, whatsapp, voice or email
	Locale  string              // BCP 47; "" is Options.Locale
	Subject string              // e-mail only
	Body    string
	Where   string // what mistakes in it are said to be in; by default its purpose, channel and language
}

// kind is a way to say something.
type kind uint8

const (
	kindSMS kind = iota
	kindWhatsApp
	kindVoice
	kindMail
	kindCount
)

func kindOf(ch countersign.Channel) (kind, bool) {
	switch ch {
	case countersign.ChannelSMS:
		return kindSMS, true
	case countersign.ChannelWhatsApp:
		return kindWhatsApp, true
	case countersign.ChannelVoice:
		return kindVoice, true
	case countersign.ChannelEmail:
		return kindMail, true
	}
	return 0, false
}

func (k kind) channel() countersign.Channel {
	return [kindCount]countersign.Channel{
		countersign.ChannelSMS, countersign.ChannelWhatsApp, countersign.ChannelVoice, countersign.ChannelEmail,
	}[k]
}

// purposes are in the order of their numbers.
const (
	purposeSignup = iota
	purposeLogin
	purposeStepUp
	purposeTransaction
	purposeCount
)

func purposeOf(p countersign.Purpose) (int, bool) {
	switch p {
	case countersign.PurposeSignup:
		return purposeSignup, true
	case countersign.PurposeLogin:
		return purposeLogin, true
	case countersign.PurposeStepUp:
		return purposeStepUp, true
	case countersign.PurposeTransaction:
		return purposeTransaction, true
	}
	return 0, false
}

func purposeName(p int) countersign.Purpose {
	return [purposeCount]countersign.Purpose{
		countersign.PurposeSignup, countersign.PurposeLogin, countersign.PurposeStepUp, countersign.PurposeTransaction,
	}[p]
}

// text is one message, ready to be filled in.
type text struct {
	locale        string
	pause         string
	subject, body template
}

// set is one purpose's texts for one channel, the fallback first.
type set struct {
	texts   []text
	chooser *chooser
}

// Catalog is an app's messages. It does not change and may be used from many goroutines.
type Catalog struct {
	sets     [purposeCount][kindCount]set
	segments [purposeCount]int // what a short message may take
	notices  map[countersign.Notice]set
	warnings []string
}

var _ countersign.Texts = (*Catalog)(nil)

// New checks and prepares an app's messages. The error names every mistake there is.
func New(o Options) (*Catalog, error) {
	b := &builder{options: o.withDefaults(), builtins: speeches(), chooser: make(map[string]*chooser), dropped: make(map[string][]string)}
	b.checkOptions()
	b.checkOverrides()
	if len(b.errs) > 0 {
		return nil, errors.Join(b.errs...)
	}
	c := &Catalog{}
	for p := range purposeCount {
		c.segments[p] = b.allowed(p)
		for k := range kindCount {
			c.sets[p][k] = b.build(p, k)
		}
	}
	if len(b.errs) > 0 {
		return nil, errors.Join(b.errs...)
	}
	c.notices = b.buildNotices()
	c.warnings = b.warnings()
	return c, errors.Join(b.errs...)
}

// Warnings name what was left out of built-in texts because it did not fit, for the operator.
func (c *Catalog) Warnings() []string { return slices.Clone(c.warnings) }

func (o Options) withDefaults() Options {
	if o.Locale == "" {
		o.Locale = "en"
	}
	if o.CodeLength == 0 {
		o.CodeLength = countersign.MinCodeLength
	}
	if o.AllowSegments == 0 {
		o.AllowSegments = 1
	}
	return o
}

// builder makes a Catalog and gathers what is wrong.
type builder struct {
	options  Options
	builtins []speech
	errs     []error
	chooser  map[string]*chooser // by list of languages: most sets have the same
	dropped  map[string][]string // what was left out: of which languages
}

func (b *builder) fault(format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf(format, args...))
}

func (b *builder) checkOptions() {
	o := &b.options
	if err := CheckName(o.Name); err != nil {
		b.errs = append(b.errs, err)
	}
	if tag, err := language.Parse(o.Locale); err != nil {
		b.fault("the locale %q is not a BCP 47 tag", clip(o.Locale))
	} else {
		o.Locale = tag.String()
	}
	if o.Origin != "" {
		if err := checkHost(o.Origin); err != nil {
			b.errs = append(b.errs, err)
		}
	}
	if o.AndroidHash != "" {
		if err := checkHash(o.AndroidHash); err != nil {
			b.errs = append(b.errs, err)
		}
	}
	if o.CodeLength < 1 || o.CodeLength > countersign.MaxCodeLength {
		b.fault("the code length is %d; 1 to %d are possible", o.CodeLength, countersign.MaxCodeLength)
	}
	if o.AllowSegments < 1 || o.AllowSegments > maxSegments {
		b.fault("allowed are %d segments; 1 to %d are possible", o.AllowSegments, maxSegments)
	}
}

// maxSegments is the most that a message of this kind may ever take.
const maxSegments = 4

func (b *builder) checkOverrides() {
	seen := make(map[string]bool)
	for i := range b.options.Overrides {
		o := &b.options.Overrides[i]
		where := cmp.Or(o.Where, fmt.Sprintf("template %d", i+1))
		if o.Locale == "" {
			o.Locale = b.options.Locale
		}
		tag, err := language.Parse(o.Locale)
		if err != nil {
			b.fault("%s: the locale %q is not a BCP 47 tag", where, clip(o.Locale))
		} else {
			o.Locale = tag.String()
		}
		if _, ok := purposeOf(o.Purpose); !ok {
			b.fault("%s: the purpose must be signup, login, stepup or transaction", where)
		}
		if _, ok := kindOf(o.Channel); !ok {
			b.fault("%s: the channel must be sms, whatsapp, voice or email", where)
		}
		if (o.Channel == countersign.ChannelEmail) != (o.Subject != "") {
			b.fault("%s: e-mail needs a subject, and nothing else has one", where)
		}
		key := strings.Join([]string{string(o.Purpose), string(o.Channel), o.Locale}, "/")
		if seen[key] {
			b.fault("%s: there is another one for %s", where, key)
		}
		seen[key] = true
	}
}

// build prepares the texts of one purpose and channel: the app's own, and the built-in ones of all other languages.
func (b *builder) build(p int, k kind) set {
	var s set
	for _, o := range b.options.Overrides {
		if o.Purpose == purposeName(p) && o.Channel == k.channel() {
			s.texts = append(s.texts, b.own(p, k, &o))
		}
	}
	for _, l := range b.builtins {
		if !slices.ContainsFunc(s.texts, func(t text) bool { return t.locale == l.tag }) {
			s.texts = append(s.texts, b.builtin(p, k, &l))
		}
	}
	b.fallbackFirst(s.texts)
	names := make([]string, len(s.texts))
	tags := make([]language.Tag, len(s.texts))
	for i, t := range s.texts {
		names[i], tags[i] = t.locale, language.Make(t.locale)
	}
	key := strings.Join(names, " ")
	if b.chooser[key] == nil {
		b.chooser[key] = newChooser(tags)
	}
	s.chooser = b.chooser[key]
	return s
}

// fallbackFirst orders texts for the matcher: the fallback, or English where the fallback has no text, then by name.
func (b *builder) fallbackFirst(texts []text) {
	fallback := "en"
	if slices.ContainsFunc(texts, func(t text) bool { return t.locale == b.options.Locale }) {
		fallback = b.options.Locale
	}
	slices.SortFunc(texts, func(x, y text) int {
		switch {
		case x.locale == y.locale:
			return 0
		case x.locale == fallback:
			return -1
		case y.locale == fallback:
			return 1
		}
		return strings.Compare(x.locale, y.locale)
	})
}

func (s *speech) of(p int) words {
	return [purposeCount]words{s.signup, s.login, s.stepup, s.transaction}[p]
}

// pauseOf is how a language of an app's own text pauses between spoken characters.
func (b *builder) pauseOf(locale string) string {
	base, _ := language.Make(locale).Base()
	for _, s := range b.builtins {
		if s.tag == base.String() {
			return s.pause
		}
	}
	return ", "
}
