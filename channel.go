package countersign

// Channel is a way to reach somebody.
type Channel string

// The channels. ChannelAuto is a wish, never the channel of a verification: the routes choose a real one.
const (
	ChannelSMS       Channel = "sms"
	ChannelVoice     Channel = "voice"
	ChannelFlashCall Channel = "flashcall"
	ChannelWhatsApp  Channel = "whatsapp"
	ChannelEmail     Channel = "email"
	ChannelSeamless  Channel = "seamless" // data verification; on the Sinch face only
	ChannelAuto      Channel = "auto"
)

// ParseChannel accepts the names of the REST face, where empty means sms.
func ParseChannel(s string) (Channel, bool) {
	switch c := Channel(s); c {
	case "":
		return ChannelSMS, true
	case ChannelSMS, ChannelVoice, ChannelFlashCall, ChannelWhatsApp, ChannelEmail, ChannelAuto:
		return c, true
	}
	return "", false
}

// Serves says whether a channel may be used for a purpose: a call is taken by voicemail boxes, a flash call shows
// nothing, and a mailbox is no phone.
func (c Channel) Serves(p Purpose) bool {
	switch c {
	case ChannelVoice, ChannelFlashCall:
		return p != PurposeTransaction && p != PurposeStepUp
	case ChannelEmail:
		return p == PurposeSignup || p == PurposeLogin
	}
	return true
}

// AMR is what a proof says of the means (RFC 8176).
func (c Channel) AMR() []string {
	switch c {
	case ChannelSMS, ChannelWhatsApp:
		return []string{"otp", "sms"}
	case ChannelVoice, ChannelFlashCall:
		return []string{"otp", "tel"}
	case ChannelEmail:
		return []string{"otp", "email"}
	}
	return []string{"otp"}
}

// Purpose is what an approval is meant for. A proof of one purpose is worth nothing for another.
type Purpose string

// The purposes.
const (
	PurposeSignup      Purpose = "signup"
	PurposeLogin       Purpose = "login"
	PurposeStepUp      Purpose = "stepup"
	PurposeTransaction Purpose = "transaction"
)

// ParsePurpose accepts the names of the REST face, where empty means login.
func ParsePurpose(s string) (Purpose, bool) {
	switch p := Purpose(s); p {
	case "":
		return PurposeLogin, true
	case PurposeSignup, PurposeLogin, PurposeStepUp, PurposeTransaction:
		return p, true
	}
	return "", false
}

// Face is the protocol in which a verification was asked for.
type Face string

// The faces.
const (
	FaceREST   Face = "rest"
	FacePage   Face = "page"
	FaceSinch  Face = "sinch"
	FaceTwilio Face = "twilio"
)
