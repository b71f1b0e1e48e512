package countersign

import (
	"context"
	"time"
)

// This file is the engine's side of the store: what a store keeps and the moves it must make, each in one
// indivisible step. A store decides; the engine never reads, decides and writes back. storetest has the same
// promises as a test suite, and every store runs it.

// Bounds that hold over all apps. They are the product's promise (INV-3, INV-4, INV-8) and not configurable.
const (
	MaxChecks       = 5   // compared guesses of one verification
	MaxPhoneChecks  = 20  // compared guesses of one phone in PhoneWindow
	MaxPhoneStreak  = 100 // wrong guesses in a row before the hard stop (NIST SP 800-63B-4, 3.2.2)
	StreakLifetime  = 30 * 24 * time.Hour
	DeviceLifetime  = 180 * 24 * time.Hour // of a device's token
	PhoneWindow     = 24 * time.Hour
	MaxSendsBurst   = 3 // sends to one phone in SendsBurst
	SendsBurst      = 10 * time.Minute
	MaxSendsDay     = 10               // sends to one phone in PhoneWindow
	MaxDeviceChecks = 5                // compared guesses of a device that has proved the phone, in PhoneWindow, beside the phone's
	MaxDeviceSends  = 2                // sends that such a device asks for, in PhoneWindow, beside the phone's
	MaxDevices      = 5                // devices of a phone that use what is theirs at one time
	MaxPending      = 5                // pending verifications of one phone and app
	RepeatWindow    = 60 * time.Second // how long a correct check may be repeated by the same caller
	EndedRetention  = 10 * time.Minute // how long a hot store keeps what has ended
	MaxClockSetback = 2 * time.Second  // a larger step back ends what is pending
	ClaimAfter      = time.Second      // how long after its lease a send may be taken over
)

// Cooldown is the least time between the n-th send (from 1) to a phone within PhoneWindow and the next.
func Cooldown(n int) time.Duration {
	switch {
	case n <= 0:
		return 0
	case n == 1:
		return 30 * time.Second
	case n == 2:
		return 60 * time.Second
	case n == 3:
		return 120 * time.Second
	}
	return 300 * time.Second
}

// Record is a verification as a store keeps it. Nothing in it names a person in clear and nothing in it is a code.
type Record struct {
	ID       string
	App      string
	Purpose  Purpose
	Channel  Channel
	Face     Face
	Status   Status
	Phone    Hash   // keyed hash of the address
	Country  string // ISO 3166-1 alpha-2; "" for e-mail
	Created  time.Time
	Expires  time.Time
	Ended    time.Time
	Alphabet Alphabet
	Length   int

	CodeKey uint16 // which key derived the code
	Nonce   []byte // 16 random bytes
	Tag     Tag
	TxnHash []byte // 32 bytes, or nil
	Sealed  []byte // see Sealed; bound to ID
	RefHash Hash   // keyed hash of app and reference; zero without one

	Hosted      string // the route whose vendor owns the code; "" when it is ours
	HostedRef   string // the vendor's id
	HostedScope Hash   // app, purpose and transaction: who may take the vendor's verification over
	Test        bool

	Checks    int // guesses compared so far
	MaxChecks int
	Sends     int
	MaxSends  int
	Lease     time.Time // until then a process is sending; zero when nobody is

	JTI        string    // of the proof; set by the approval
	ApprovedBy Hash      // the caller that was approved; zero binds nobody
	IssuedAt   time.Time // of the proof
	Deliveries []Delivery
	Seq        int // grows with every change; the log keeps the highest
}

// Sealed is what must be given back or sent to, and is therefore encrypted: JSON in a Record's Sealed.
type Sealed struct {
	To          string            `json:"to"`
	Locale      string            `json:"l,omitempty"`
	Reference   string            `json:"r,omitempty"`
	Metadata    map[string]string `json:"m,omitempty"`
	Nonce       string            `json:"n,omitempty"`
	Transaction *Transaction      `json:"t,omitempty"`
	Custom      string            `json:"c,omitempty"` // Sinch face: echoed in callbacks
	Marks       []byte            `json:"k,omitempty"` // see Attempt
	Auto        bool              `json:"a,omitempty"` // the channel was left to the ladder
	User        string            `json:"u,omitempty"` // whom a step-up is for
}

// Store keeps what is in flight and decides every move. All methods may be called from many goroutines and
// processes at once. A method that cannot reach its engine fails with an error of kind ErrUnavailable within the
// store's timeout; a missing or foreign verification fails with ErrNotFound. Refusals are outcomes, not errors.
type Store interface {
	Moves
	Limits
	Clock

	// Start is Take and, where that admitted a request that was not seen before, Begin. The outcome is nil where Begin was not
	// made. A store that keeps limits and phones in one place makes both in one step; one that does not may call
	// TakeThenBegin.
	Start(ctx context.Context, t *Take, b *Begin) (*Taken, *Outcome, error)

	// Ping says whether the store can be reached and is safe to use now.
	Ping(ctx context.Context) error
	Close() error
}

// Clock is the store's: one clock decides (design, rule 6).
type Clock interface {
	// Now is the store's time, known without asking: at most the error of the last answer's skew.
	Now() time.Time
	// Advance moves the store's clock forward: tests, and the sandbox's time travel. It never goes back.
	Advance(ctx context.Context, d time.Duration) error
}

// Moves are the indivisible steps of a verification.
type Moves interface {
	// Begin counts a send on the phone and, if nothing refuses, saves the record with an in-flight lease.
	Begin(ctx context.Context, b *Begin) (*Outcome, error)
	// Resend counts a send on the phone and the verification, and takes a lease.
	Resend(ctx context.Context, r *Resend) (*Outcome, error)
	// Sent writes what became of a send and ends the lease. A record that is final takes deliveries, nothing else.
	Sent(ctx context.Context, s *Sent) (*Outcome, error)
	// Check counts, then compares, then consumes. For a hosted record it counts and takes a lease (OutcomeReserved);
	// Settle then says what the vendor answered.
	Check(ctx context.Context, c *Check) (*Outcome, error)
	// CheckPhone compares with every pending record of app, phone and purpose: one guess of the phone and of each.
	CheckPhone(ctx context.Context, c *CheckPhone) (*Outcome, error)
	// Settle ends a reserved check.
	Settle(ctx context.Context, s *Settle) (*Outcome, error)
	// Cancel ends a pending record. One that has the asked status already gives OutcomeOK with Replayed, except for
	// Canceled, which is OutcomeClosed unless the request's key is known.
	Cancel(ctx context.Context, c *Cancel) (*Outcome, error)
	// Receipt raises the status of a delivery. Unknown deliveries give OutcomeUnknown and change nothing.
	Receipt(ctx context.Context, r *Receipt) (*Outcome, error)
	// Lookup reads one; "expired" is computed. false when it is not (or no longer) here.
	Lookup(ctx context.Context, id string) (*Outcome, bool, error)
	// Pending lists the pending records of a phone, newest first, over the given app; purpose "" means every one.
	Pending(ctx context.Context, app string, phone Hash, purpose Purpose) ([]*Record, error)
	// Sweep ends what has expired and claims sends whose lease ran out, taking a new lease of the given length on each.
	// It returns both, at most max: the expired are final, the claimed pending. It is cheap when nothing is due.
	Sweep(ctx context.Context, lease time.Duration, max int) ([]*Record, error)
	// Outbox hands out entries for the log that nobody has acknowledged, oldest first, at most max, of which none is
	// younger than age: younger ones are on their way in the process that made them.
	Outbox(ctx context.Context, age time.Duration, max int) ([]*Record, error)
	// Acknowledge forgets outbox entries up to and including each record's Seq.
	Acknowledge(ctx context.Context, done []*Record) error
	// Count counts on a phone without a verification: under the other hash of a phone while the phone key is rotated.
	Count(ctx context.Context, c *Count) (*Outcome, error)
	// ForgetDevices makes every Device of app and phone that was issued up to now count for nothing.
	ForgetDevices(ctx context.Context, app string, phone Hash) error
	// Unlock lifts a phone's lock-out and hard stop. false when there was none.
	Unlock(ctx context.Context, phone Hash) (bool, error)
	// ForgetLimits forgets everything that counts: cooldowns, rates, guesses, locks (sandbox and tests).
	ForgetLimits(ctx context.Context) error
}

// Result is how a move went.
type Result uint8

// The results. Every refusal leaves the record as it was.
const (
	OutcomeOK           Result = iota
	OutcomeApproved            // the code was right; Record has JTI and IssuedAt
	OutcomeRepeated            // approved before, asked again by the same caller in time
	OutcomeIncorrect           // counted and wrong
	OutcomeReserved            // hosted: counted; ask the vendor, then Settle
	OutcomeShape               // not of a code's shape: not counted
	OutcomeClosed              // final already, not by time
	OutcomeExpired             // its time ran out
	OutcomeLocked              // the phone's guesses are used up
	OutcomeTooSoon             // cooldown
	OutcomeTooManySends        // sends used up
	OutcomePending             // a sixth pending verification
	OutcomeHostedTaken         // the vendor's account holds an open verification of this phone for another scope
	OutcomeMismatch            // the idempotency key was used with another body
	OutcomeBusy                // the first request with this key, or another report, still runs
	OutcomeUnknown             // no such delivery
	OutcomeNone                // CheckPhone: nothing is pending
)

// Outcome is the answer to a move.
type Outcome struct {
	Result     Result
	Record     *Record // as it is after the move; nil where there is none
	Phone      PhoneState
	Now        time.Time
	RetryAfter time.Duration // for the refusals that waiting helps
	ChecksLeft int           // of the record and its phone, whichever is less
	Ended      []*Record     // other records that this move ended (superseded, taken over, CheckPhone)
	Replayed   bool          // answered from the request key's memory
}

// Request makes a move idempotent: the same key and body within a minute gives the same outcome and counts
// nothing. A zero Key means none.
type Request struct {
	Key  Hash
	Body Hash
}

// Device is one that has proved a phone before. Where the phone's own limits refuse it, it has guesses and sends of its
// own (MaxDeviceChecks, MaxDeviceSends), so that a stranger who uses up the phone's cannot keep its owner out; the
// hundred wrong guesses in a row stand above both. Its own sends have a cooldown, counted from whatever it had sent last.
// A move takes a device of another phone, or one that was forgotten, for none.
type Device struct {
	ID     Hash
	Phone  Hash
	Issued time.Time
}

// Begin asks for a new verification. The store sets the times of Record from its clock and Lifetime.
type Begin struct {
	Record    *Record
	Lifetime  time.Duration
	Lease     time.Duration
	Supersede bool // end this app's earlier pending records of the same face and phone as canceled
	Exempt    bool // test number: no send limit counts (guess limits do)
	// OwnCode says that, when the hosted route is taken by another scope, the record's own code may be used instead: the
	// store then clears Hosted and goes on.
	OwnCode bool
	Device  *Device // who asks, where it is known
}

// Resend asks for another message of a pending record.
type Resend struct {
	App, ID string
	Channel Channel // "" keeps the record's
	Hosted  string  // as in Record, for the new message
	MinLife time.Duration
	Lease   time.Duration
	Exempt  bool
	NewCode *Recode // resend: new_code; nil keeps the code
	Device  *Device // who asks, where it is known
	Request Request
}

// Recode replaces the code of a record; counts stay.
type Recode struct {
	CodeKey uint16
	Nonce   []byte
	Tag     Tag
}

// Sent reports a send.
type Sent struct {
	ID        string
	Channel   Channel
	Delivery  Delivery
	Hosted    string // the route that owns the code now; "" when it is ours
	HostedRef string
	End       Status        // a final status to move to if still pending; "" keeps it
	KeepLease bool          // the provider has not answered: somebody must find out
	Lease     time.Duration // with KeepLease: how long the lease is from now on, if there still is one; zero leaves it
}

// Check asks about one guess.
type Check struct {
	App, ID string
	Tags    []Tag
	Shape   Shape
	Length  int
	JTI     string // for the proof, if this approves
	Caller  Hash   // who may repeat it; zero nobody
	Lease   time.Duration
	Device  *Device // who asks, where it is known
	Request Request
}

// CheckPhone asks about one guess against all that is pending. Tags are by record id, made from what Pending
// listed; a record that is not in it is not compared and not counted.
type CheckPhone struct {
	App     string
	Phone   Hash
	Purpose Purpose
	Tags    map[string][]Tag
	Shape   Shape
	Length  int
	JTI     string
	Lease   time.Duration
	Device  *Device // who asks, where it is known
	Request Request
}

// Settle is a vendor's answer to a reserved check.
type Settle struct {
	App, ID  string
	Approved bool
	End      Status // a final status the vendor reported, e.g. expired or failed; "" when the verification goes on
	JTI      string
	Caller   Hash
	Request  Request
}

// Cancel ends a record.
type Cancel struct {
	App, ID string
	Status  Status // StatusCanceled, StatusDenied or StatusUndeliverable; StatusApproved on the app's own word, without a proof
	Request Request
}

// Count is a change of what is counted of a phone, alone. CountGuess and CountSend are refused as a check and a start
// are; the instant of their outcome is what CountGuessBack and CountSendBack name.
type Count struct {
	Phone  Hash
	What   Counted
	App    string    // whose device it is
	Device *Device   // who asks, where it is known
	Exempt bool      // CountSend: a test number, of which no send is counted
	Streak int       // CountStreak
	At     time.Time // CountGuessBack, CountSendBack: when it was counted; CountStreak: of the last wrong guess
}

// Counted is what a Count changes.
type Counted uint8

// The changes.
const (
	CountGuess     Counted = iota // a compared guess, wrong until CountApproved says otherwise
	CountSend                     // a send
	CountGuessBack                // a guess that was not compared after all
	CountSendBack                 // a send that was refused after all
	CountApproved                 // ends the wrong guesses in a row
	CountStreak                   // of the wrong guesses in a row that are counted and those that are given, the larger stays
)

// Receipt is a vendor's word on a delivery.
type Receipt struct {
	ID         string         // the verification
	DeliveryID string         // ours; or, where the vendor does not give it back:
	Ref        string         // the vendor's
	Status     DeliveryStatus // "" when only Cost is known: nothing but the caps on money hears of it
	Detail     string
	At         time.Time // the vendor's time; zero when it gave none
	Cost       Money     // what the message did cost, where the vendor says so
}

// Log keeps every verification for 30 days, and final outcomes before anything may forget them. It is SQL.
type Log interface {
	// Write upserts rows; the highest Seq of an id stays.
	Write(ctx context.Context, records []*Record) error
	// Get reads one; ErrNotFound otherwise.
	Get(ctx context.Context, id string) (*Record, error)
	// List reads an app's rows, newest first.
	List(ctx context.Context, q ListQuery) ([]*Record, error)
	// Approve records an approval, once per verification: true when this jti is the recorded one.
	Approve(ctx context.Context, id, jti string, at time.Time) (bool, error)
	// OptedOut says whether the phone told this sender STOP. former is the same phone under other phone keys.
	OptedOut(ctx context.Context, sender string, phone Hash, former ...Hash) (bool, error)
	// OptOut records a STOP, or with Out false lifts it. It says whether anything changed.
	OptOut(ctx context.Context, o *OptOut) (bool, error)
	// OptOuts lists every STOP that holds.
	OptOuts(ctx context.Context) ([]OptOut, error)
}

// OptOut is what a person told a sender. It is kept for ever, so the number is kept with it, sealed, for the day on which
// the phone key is rotated.
type OptOut struct {
	Sender string
	Phone  Hash
	Former []Hash // the same phone under other phone keys: a lift is one of these too
	Sealed []byte // the number, bound to the sender (see Verifier.Rekey); nil in one of an earlier release
	Out    bool   // STOP; false is START
	At     time.Time
}

// ListQuery selects rows of the log.
type ListQuery struct {
	App          string // "" is any, where Phone is given
	Phone        Hash   // zero: any
	Former       []Hash // the same phone under other phone keys
	Status       Status
	Purpose      Purpose
	Channel      Channel
	Face         Face
	RefHash      Hash
	CreatedAfter time.Time
	Limit        int
	Before       Cursor // where the last page ended
}

// Cursor is a place in a list.
type Cursor struct {
	Created time.Time
	ID      string
}
