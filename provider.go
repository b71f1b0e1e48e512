package countersign

import (
	"context"
	"time"
)

// Message is one send on its way to a provider.
type Message struct {
	ID           string // the delivery's id, msg_…
	Verification string // the verification's id: a vendor's reference, by which a lost answer is looked up
	App          string
	To           Address
	Channel      Channel
	Purpose      Purpose
	Subject      string // e-mail only
	Text         string // what the person reads; holds the code
	Code         Code   // for providers that build the text themselves, and for own codes over a hosted vendor
	Alphabet     Alphabet
	Locale       string
	Custom       string        // echoed by some vendors
	Lifetime     time.Duration // until the code expires
	Signed       bool          // asked for by a caller with a secret: may learn what a vendor tells only to those
	Attempt      int           // from 1; above it the message may have gone out before

	// What the route chooses for the country, for providers that can use it. The routes set both before each send.
	Sender   string // this country's; "" for the provider's own
	Template string // the id under which this text is registered, where a country or a channel demands one
}

// Provider carries messages with our code.
type Provider interface {
	// Send hands one message over. It returns within ctx's deadline. A refusal is a *Failure; a nil error means
	// that the vendor has taken responsibility.
	Send(ctx context.Context, m *Message) (Handed, error)
}

// Handed is what a provider says when it took a message.
type Handed struct {
	Ref    string         // the vendor's id of the message or verification
	Status DeliveryStatus // DeliveryAccepted unless the vendor knows more
	Scheme string         // hosted: what the client is told to expect
}

// HostedProvider makes, carries and checks its own code. Our counts, limits, single use and proof run around it;
// its answer is one input of a check.
type HostedProvider interface {
	Provider
	// Report asks the vendor about one guess. An error means that the answer is not known: the caller then asks
	// Status and never reports the same guess again.
	Report(ctx context.Context, q HostedQuestion, g Guess) (HostedAnswer, error)
	// Status reads the vendor's verification without changing it.
	Status(ctx context.Context, q HostedQuestion) (HostedAnswer, error)
}

// HostedQuestion names a vendor's verification.
type HostedQuestion struct {
	Verification string // ours; the vendor's reference
	Ref          string // the vendor's id; "" when its answer to the start was lost
	To           Address
	Channel      Channel
}

// HostedAnswer is where a vendor's verification stands.
type HostedAnswer struct {
	Status Status // StatusPending when the guess was wrong and more are allowed
	Detail string
}

// Completer is a provider that wants to hear of approvals: a vendor who carries our code and closes its own
// verification only when told.
type Completer interface {
	Complete(ctx context.Context, q HostedQuestion, c Code) error
}

// Finder is a provider whose vendor can be asked what became of a message whose answer was lost, so that it is not sent a
// second time by another one.
type Finder interface {
	// Find says whether the vendor has the message. An error means that this is not known either.
	Find(ctx context.Context, m *Message) (Handed, bool, error)
}

// FailureClass says what a provider's failure means for the next step.
type FailureClass uint8

// The classes.
const (
	FailTemporary   FailureClass = iota // this vendor cannot now; another may
	FailUnknown                         // the answer was lost: it may have been sent
	FailDestination                     // no vendor will reach this address by this channel; tell the person
	FailDenied                          // the vendor or the app's callback refused the verification itself
	FailOperator                        // credentials, credit or configuration: alarm the operator, another vendor may
)

// Failure is a provider's refusal. Its Detail goes to the log and to secret keys' deliveries; it holds no address
// and no code.
type Failure struct {
	Provider string
	Class    FailureClass
	Detail   string // the vendor's code and reason, at most 64 bytes
	Err      error
}

// Error implements error.
func (f *Failure) Error() string {
	s := f.Provider + ": " + f.Detail
	if f.Err != nil {
		s += ": " + f.Err.Error()
	}
	return s
}

// Unwrap yields the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Mistake is one wrong setting of a provider or of the routes.
type Mistake struct {
	Path    string // where, as in "routes.0.countries.1"
	Problem string // what is wrong and what is expected; never the value of a secret
}

// Error implements error.
func (m *Mistake) Error() string { return m.Path + ": " + m.Problem }

// Wish is what a way is looked for.
type Wish struct {
	App     string
	Channel Channel // ChannelAuto leaves it to the ladder; "" on a resend is the last one, or the ladder's next
	To      Address // country and digits choose the routes
	Purpose Purpose
	Phone   Hash // spreads weighted routes: a phone keeps its route

	// What is known of earlier messages of the verification. All zero on a start.
	Last   Channel  // the last one's channel
	Auto   bool     // the start left the channel to the ladder
	Missed bool     // the last one has not arrived, as far as anybody told
	Failed []string // routes whose message has not arrived: they are tried behind all others
	First  string   // the route that may have sent this very message: it is asked before it is sent by another
}

// Path is how a message will go: decided before Begin, because a hosted vendor allows one open verification a phone.
type Path struct {
	Channel Channel
	Routes  []string // in the order in which they are tried
	Hosted  string   // the route whose vendor owns the code, if the first leg is hosted
	OwnCode bool     // there is a leg that carries our own code too
	Sender  string   // the first leg's sender, for the opt-out list; "" when it has none
}

// Dispatcher gets messages to phones by the app's routes.
type Dispatcher interface {
	// Plan chooses the channel, where that is left open, and says how a message would go. ErrInvalidRequest when no
	// route serves the channel.
	Plan(w *Wish) (Path, error)
	// Dispatch tries the routes of the path in their order, carrying the same code, until one takes the message.
	// It always returns a Delivery; the error is a *Failure, of class FailUnknown when a vendor may have sent it.
	// HostedRoute in the result names the route that owns the code, if one does.
	Dispatch(ctx context.Context, p Path, m *Message) (Dispatched, error)
	// Hosted finds the provider behind a record's hosted route.
	Hosted(route string) (HostedProvider, bool)
	// Completer finds the provider behind a delivery's route, if it wants to hear of approvals.
	Completer(route string) (Completer, bool)
}

// Dispatched is what became of a message.
type Dispatched struct {
	Delivery    Delivery
	HostedRoute string
	HostedRef   string
	Scheme      string
	MaybeTwice  bool // another route may have sent it before: its answer was lost
	Askable     bool // with FailUnknown: to ask the vendor again sends nothing twice
}

// ReceiptSink takes what vendors report. The engine implements it; providers' callback handlers call it.
type ReceiptSink interface {
	// TakeReceipt applies a receipt. Unknown, late and doubled receipts are not errors.
	TakeReceipt(ctx context.Context, r Receipt) error
	// TakeOutcome applies what a hosted vendor reports about its verification outside of a check. It can end a
	// verification and never approves one.
	TakeOutcome(ctx context.Context, verification string, status Status) error
	// TakeReply applies a message that a person sent back to a sender: STOP and START.
	TakeReply(ctx context.Context, sender string, from Address, text string) error
	// CodeFor gives a provider whose vendor asks for it (Sinch's VerificationRequestEvent) the code of a pending
	// verification of this address. ErrNotFound when there is none: the vendor is then told to deny. The address is
	// the one that the vendor is about to send to: a reference alone can be anybody's.
	CodeFor(ctx context.Context, verification string, to Address) (Code, time.Duration, error)
}
