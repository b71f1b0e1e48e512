package countersign

import "time"

// Guard says who may ask for what. Its rules need no store; what it wants counted it names, and the store counts
// that before the phone's own step.
type Guard interface {
	// Judge refuses with an *Error or asks for a challenge with a *Demand, or names the limits to count: first those that
	// refuse, then those that a challenge passes. It may write Marks and Note.
	Judge(a *Attempt) ([]Limit, error)
	// Decided hears what became of a start or a send that was judged, once: t is what was counted, nil when it did not
	// come to that, and err why nothing goes out, nil when a message does. It may write Verdict. It must be quick and must not
	// block.
	Decided(a *Attempt, t *Taken, err error)
	// Approved names what an approval gives back. It is called once for each.
	Approved(c *Conversion) Refund
}

// Action is what is attempted.
type Action uint8

// The actions that limits are counted on.
const (
	ActionStart Action = iota
	ActionSend
	ActionCheck
	ActionLogin // an OpenID Connect client's login begins in a browser
)

// Attempt is what a guard judges.
type Attempt struct {
	Action  Action
	App     *App
	To      Address // zero on a check
	Channel Channel
	Purpose Purpose
	Client  Client
	Face    Face
	Now     time.Time                                // the store's
	Test    bool                                     // a test number: nothing is sent, so nothing that limits messages or money counts
	Solved  int                                      // difficulty of the proof of work that came along, 0 without one; the engine leaves out what it pays for
	Proved  bool                                     // the device has proved this phone before, unless that was taken back since
	Hash    func(label string, parts ...string) Hash // keyed hash for limit keys
	// FilledIn is how long the hosted form was open before it was sent; zero where there was none, negative where what the form
	// says about it cannot be believed.
	FilledIn time.Duration

	// Marks is what the guard wants to see again when the verification is approved: keyed hashes, nothing in clear. It is
	// kept sealed with the verification.
	Marks []byte
	Note  any // the guard's own, from Judge to Decided

	Verdict Verdict // what the guard decided, as it says in Decided
}

// Biller is what a Guard may have besides: it reserves the most that a message may cost, and knows what it did cost.
type Biller interface {
	// Bill says what of the limits that a send counted is to be given back, or taken besides (Back), now that a provider
	// took it. The limits of a send that reserved nothing give nothing.
	Bill(limits []Limit, provider, country string, ch Channel) []Limit
}

// Coster is what a Biller may have besides: it corrects the price that a message was billed at when a vendor tells what it
// did cost.
type Coster interface {
	// Settle says what is to be given back, or taken besides (Back). It is called once for each message.
	Settle(b *Bill) []Limit
}

// Bill is what a vendor's receipt says that a message did cost.
type Bill struct {
	App      string
	Country  string
	Provider string
	Channel  Channel
	Begun    time.Time // the verification
	Now      time.Time
	Cost     Money
	Hash     func(label string, parts ...string) Hash
}

// Demand is a guard's wish for a challenge that hangs on no limit. It asks only for more than the Attempt has Solved.
type Demand struct {
	Rule       string
	Difficulty int
	RetryIn    time.Duration // when to try again without one
}

// Error implements error.
func (d *Demand) Error() string { return "the rule " + d.Rule + " asks for a challenge" }

// Conversion is a verification that was approved.
type Conversion struct {
	App     *App
	To      Address
	Channel Channel
	Purpose Purpose
	Marks   []byte
	Created time.Time
	Now     time.Time
	Hash    func(label string, parts ...string) Hash
}

// Observer hears what the engine did, for metrics and the log of what happens behind an answer. It must be quick
// and must not block.
type Observer interface {
	Observe(e Event)
}

// EventName names what happened, in the past tense.
type EventName string

// The events.
const (
	EventStarted   EventName = "verification.started"
	EventRefused   EventName = "verification.refused" // no verification was made
	EventSent      EventName = "message.sent"         // a provider answered; Result is the delivery's status
	EventReceipt   EventName = "message.receipt"
	EventChecked   EventName = "verification.checked"
	EventEnded     EventName = "verification.ended"   // Result is the status
	EventVouched   EventName = "verification.vouched" // approved on the app's word, without a code
	EventAssessed  EventName = "risk.assessed"        // an app's check of a number; Result is allow, deny, unanswered or sent_anyway
	EventRekeyed   EventName = "phone_key.rotated"    // a step of its rotation; Result says which
	EventTakenOver EventName = "message.taken_over"   // from a process that died, or because an answer was lost
	EventFault     EventName = "fault"                // something of ours failed behind an answer
	EventLogDelay  EventName = "log.delayed"          // the log could not be written; the outbox keeps the rows

	EventUserCreated    EventName = "user.created"
	EventUserErased     EventName = "user.erased"
	EventNumberLost     EventName = "user.number_lost"    // somebody else proved it
	EventNumberChanged  EventName = "user.number_changed" // the person has another one now
	EventSessionStarted EventName = "session.started"
	EventSessionEnded   EventName = "session.ended"
	EventSessionReused  EventName = "session.reused" // an old refresh token came back: the session was ended
	EventSteppedUp      EventName = "session.stepped_up"
	EventFactorAdded    EventName = "factor.added" // of these, Result is the factor's type
	EventFactorRemoved  EventName = "factor.removed"
	EventFactorUsed     EventName = "factor.used"    // in a login or a step-up
	EventFactorRefused  EventName = "factor.refused" // a wrong guess, or one too many
	EventFactorLocked   EventName = "factor.locked"  // so many wrong guesses in a row that there is a wait
	EventRecoveryUsed   EventName = "factor.recovery_used"
	EventPasskeyCopied  EventName = "passkey.copied" // its counter went back: there may be two of it
)

// Event is one thing that happened. It carries no personal data: the country and keyed or cut identifiers only.
type Event struct {
	Name         EventName
	App          string
	Verification string
	Channel      Channel
	Country      string
	Purpose      Purpose
	Face         Face
	Provider     string
	Result       string
	Duration     time.Duration // from start to now, or of the provider's answer
	Test         bool          // a test number's: nothing was sent
	MaybeTwice   bool          // this message may have reached the phone before, with the same code
	Err          error
}

// Block is something that the guard lets only a little of through for a while.
type Block struct {
	ID      string
	Key     Hash   // keyed hash of what is blocked
	App     string // "" for every app
	Rule    string
	Subject string // a range of numbers, or a cut hash; never a person's number
	Reason  string // one sentence for the operator
	Since   time.Time
	Until   time.Time // zero: until it is lifted
	Level   int       // how often it was blocked before, lately
}
