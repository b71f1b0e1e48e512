package phone

// LineType is the kind of a line. Policies allow by it, because some kinds cost the sender what others earn.
type LineType uint8

// The line types. In North America a mobile number looks like a fixed one: FixedOrMobile.
const (
	Unknown LineType = iota
	Mobile
	FixedLine
	FixedOrMobile
	TollFree
	Premium
	SharedCost
	VoIP
	Personal
	Pager
	UAN // universal access number of a company
	Voicemail
)

var lineTypeNames = [...]string{
	Unknown: "unknown", Mobile: "mobile", FixedLine: "fixed line", FixedOrMobile: "fixed or mobile", TollFree: "toll-free",
	Premium: "premium", SharedCost: "shared cost", VoIP: "voip", Personal: "personal", Pager: "pager", UAN: "uan", Voicemail: "voicemail",
}

// String is the type's name in configuration and refusals.
func (t LineType) String() string {
	if int(t) < len(lineTypeNames) {
		return lineTypeNames[t]
	}
	return lineTypeNames[Unknown]
}

// ParseLineType reads a type's name.
func ParseLineType(name string) (LineType, bool) {
	for t, n := range lineTypeNames {
		if n == name && LineType(t) != Unknown {
			return LineType(t), true
		}
	}
	return Unknown, false
}
