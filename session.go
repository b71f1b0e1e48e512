package countersign

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"log/slog"
	"net/netip"
	"time"
)

// Limits of a session (NIST SP 800-63B-4, 2.1.3 and 2.2.3). SMS alone is AAL1.
const (
	SessionLifetime     = 30 * 24 * time.Hour // AAL1, overall
	SessionLifetimeAAL2 = 24 * time.Hour
	SessionIdleAAL2     = time.Hour
	// AccessLifetime is how long an access token says what it says without anybody being asked.
	AccessLifetime = 900 * time.Second
	// SessionRetention is how long an ended session stays in the database, for whoever looks into an incident.
	SessionRetention = 7 * 24 * time.Hour
)

// SessionPolicy is how long an app's sessions live. The zero value is NIST's AAL1.
type SessionPolicy struct {
	Lifetime   time.Duration // overall; default SessionLifetime
	Idle       time.Duration // without a refresh; zero: no limit of its own
	TestLogins bool          // proofs of test numbers may make sessions
}

// WithDefaults fills what is zero.
func (p SessionPolicy) WithDefaults() SessionPolicy {
	if p.Lifetime <= 0 || p.Lifetime > SessionLifetime {
		p.Lifetime = SessionLifetime
	}
	return p
}

// SessionKind is how a session's tokens travel.
type SessionKind string

// The kinds.
const (
	SessionBearer SessionKind = "bearer" // in bodies and the header Authorization
	SessionCookie SessionKind = "cookie" // in cookies of the instance's own site
	// SessionBrowser is a login at the hosted page on behalf of OpenID Connect clients: one token in one cookie, for
	// nothing but further authorizations.
	SessionBrowser SessionKind = "browser"
)

// EndReason says why a session ended.
type EndReason string

// The reasons.
const (
	EndedByUser    EndReason = "user"       // the person, or their app for them
	EndedByReuse   EndReason = "reuse"      // an old refresh token came back: somebody has a copy
	EndedByTime    EndReason = "time"       // a limit of its policy
	EndedByRenewal EndReason = "renewal"    // a new login took its place
	EndedByNumber  EndReason = "number"     // the number went to somebody else, or was changed
	EndedByFactor  EndReason = "credential" // a factor changed
)

// SessionClient is what a device list shows of where a session began. It names a person's device, so it is stored
// sealed.
type SessionClient struct {
	IP        string `json:"ip,omitempty"`
	UserAgent string `json:"ua,omitempty"`
	Device    string `json:"d,omitempty"`
}

func sessionClient(c Client) SessionClient {
	s := SessionClient{UserAgent: c.UserAgent, Device: c.Device}
	if c.Addr.IsValid() {
		s.IP = c.Addr.String()
	}
	return s
}

// Addr is the client's address; invalid where it is not known.
func (s SessionClient) Addr() netip.Addr {
	a, _ := netip.ParseAddr(s.IP)
	return a
}

// Session is one login of a user on one device.
type Session struct {
	ID       string
	App      string
	User     string
	Kind     SessionKind
	AMR      []string  // RFC 8176: how the person showed who they are, over the whole session
	AuthTime time.Time // when they last did
	Created  time.Time
	Seen     time.Time // the last refresh
	Expires  time.Time
	// FactorTime is when a further factor was shown last; zero for never.
	FactorTime time.Time
	Client     SessionClient
}

// Tokens are what a session's holder has. They print without their text.
type Tokens struct {
	Access  string
	Refresh string
	Expires time.Duration // of the access token, from now
}

// String hides the tokens.
func (Tokens) String() string { return "(tokens)" }

// GoString hides the tokens from %#v.
func (t Tokens) GoString() string { return t.String() }

// LogValue hides the tokens from slog.
func (t Tokens) LogValue() slog.Value { return slog.StringValue(t.String()) }

// SessionRecord is a session as a store keeps it.
type SessionRecord struct {
	ID, App, User string
	Kind          SessionKind
	AMR           []string
	AuthTime      time.Time
	Created       time.Time
	Seen          time.Time
	Expires       time.Time
	FactorTime    time.Time // when a further factor was shown last; zero for never
	Ended         time.Time // zero while it lives
	Reason        EndReason
	Sealed        []byte // SessionClient, bound to ID
	Family        []byte // SHA-256 of the part that all its refresh tokens share
	Current       []byte // SHA-256 of the refresh token that is good now
}

// live says whether the session can be used at now under a policy.
func (r *SessionRecord) live(now time.Time, p SessionPolicy) bool {
	return r.Ended.IsZero() && now.Before(r.Expires) && !p.Over(r.Created, r.Seen, now)
}

// Over says whether a session of before has ended by now under the policy of now, which may be stricter than the one that it
// was begun under.
func (p SessionPolicy) Over(created, seen, now time.Time) bool {
	return !now.Before(created.Add(p.Lifetime)) || p.Idle > 0 && !now.Before(seen.Add(p.Idle))
}

// SessionStore keeps sessions. Each method is one indivisible step; a store that cannot answer fails with an error of
// kind ErrUnavailable.
type SessionStore interface {
	// Rotate replaces the refresh token of a live session. A token that was good once ends the session in the same
	// step, as somebody has a copy of it.
	Rotate(ctx context.Context, r *Rotate) (*Rotated, error)
	// Session reads one; false where there is none.
	Session(ctx context.Context, id string) (*SessionRecord, bool, error)
	// Sessions lists a user's sessions that have not ended, newest first.
	Sessions(ctx context.Context, app, user string) ([]*SessionRecord, error)
	// EndSession ends one session of a user; true where it lived until then.
	EndSession(ctx context.Context, app, user, id string, why EndReason, at time.Time) (bool, error)
	// EndSessions ends all of a user's sessions but one ("" spares none), and says how many.
	EndSessions(ctx context.Context, app, user, except string, why EndReason, at time.Time) (int, error)
}

// Rotate asks for a new refresh token.
type Rotate struct {
	ID         string
	Family     []byte
	Current    []byte
	Next       []byte
	At         time.Time
	BegunSince time.Time // a session not begun since then has ended: the profile may have become stricter than it was
	IdleSince  time.Time // a session not seen since then has ended; zero: never
}

// RotateResult is what a rotation came to.
type RotateResult uint8

// The results.
const (
	RotateDone    RotateResult = iota
	RotateUnknown              // no such session, or not a token of it
	RotateEnded                // the session has ended, now or before
	RotateReused               // an old token: the session was ended by this step
)

// Rotated is the answer to Rotate.
type Rotated struct {
	Result  RotateResult
	Session *SessionRecord // nil where it is unknown
}

// Refresh gives new tokens for a refresh token, which is dead from then on. One that was used before ends its session:
// either the holder or a thief has the newer one, and nobody can tell who asks.
func (a *Accounts) Refresh(ctx context.Context, text string) (*Login, error) {
	t, ok := parseRefreshToken(text)
	if !ok {
		return nil, Fail(ErrUnauthorized, "This is no refresh token of this instance. Log in again.")
	}
	record, found, err := a.cfg.Sessions.Session(ctx, t.session())
	if err != nil {
		return nil, err
	}
	if !found || record.Kind == SessionBrowser {
		return nil, unknownSession()
	}
	app, known := a.cfg.App(record.App)
	if !known {
		return nil, unknownSession()
	}
	next, profile := t.next(), app.Sessions.WithDefaults()
	move := &Rotate{ID: record.ID, Family: t.familyHash(), Current: t.hash(), Next: next.hash(), At: a.cfg.Now()}
	move.BegunSince = move.At.Add(-profile.Lifetime)
	if idle := profile.Idle; idle > 0 {
		move.IdleSince = move.At.Add(-idle)
	}
	r, err := a.cfg.Sessions.Rotate(ctx, move)
	if err != nil {
		return nil, err
	}
	switch r.Result {
	case RotateDone:
		return a.login(ctx, r.Session, next)
	case RotateReused:
		a.observe(EventSessionReused, record.App, "")
		return nil, revokedSession()
	case RotateEnded:
		return nil, revokedSession()
	}
	return nil, unknownSession()
}

func unknownSession() error {
	return Fail(ErrUnauthorized, "There is no session of this token. Log in again.")
}

func revokedSession() error {
	return Fail(ErrSessionRevoked, "This session has ended. Log in again.")
}

// Authenticate finds the session of an access token and refuses one that has ended, on whichever node and however
// long ago the token was made.
func (a *Accounts) Authenticate(ctx context.Context, token string) (*Session, error) {
	c, ok := a.accessClaims(token)
	if !ok {
		return nil, Fail(ErrUnauthorized, "Send a valid access token in the header Authorization, as `Bearer …`. Refresh it when it has expired.")
	}
	record, found, err := a.cfg.Sessions.Session(ctx, c.Session)
	if err != nil {
		return nil, err
	}
	if !found || record.User != c.Subject {
		return nil, revokedSession()
	}
	app, known := a.cfg.App(record.App)
	if !known || !record.live(a.cfg.Now(), app.Sessions.WithDefaults()) {
		return nil, revokedSession()
	}
	return a.describeSession(record)
}

// Browser finds the live session of a browser's token, as Redeem gave it for SessionBrowser. It is not rotated: two
// windows that open at once would end each other's.
func (a *Accounts) Browser(ctx context.Context, text string) (*Session, error) {
	t, ok := parseRefreshToken(text)
	if !ok {
		return nil, unknownSession()
	}
	record, found, err := a.cfg.Sessions.Session(ctx, t.session())
	if err != nil {
		return nil, err
	}
	if !found || record.Kind != SessionBrowser || subtle.ConstantTimeCompare(record.Current, t.hash()) != 1 {
		return nil, unknownSession()
	}
	app, known := a.cfg.App(record.App)
	if !known || !record.live(a.cfg.Now(), app.Sessions.WithDefaults()) {
		return nil, revokedSession()
	}
	return a.describeSession(record)
}

func (a *Accounts) describeSession(r *SessionRecord) (*Session, error) {
	s := &Session{
		ID: r.ID, App: r.App, User: r.User, Kind: r.Kind, AMR: r.means(a.cfg.Now()), AuthTime: r.AuthTime,
		Created: r.Created, Seen: r.Seen, Expires: r.Expires, FactorTime: r.FactorTime,
	}
	plain, err := a.cfg.Keys().Open(r.ID, r.Sealed)
	if err != nil {
		return nil, err
	}
	return s, json.Unmarshal(plain, &s.Client)
}

// Devices lists the live sessions of a user, newest first.
func (a *Accounts) Devices(ctx context.Context, app *App, user string) ([]*Session, error) {
	records, err := a.cfg.Sessions.Sessions(ctx, app.ID, user)
	if err != nil {
		return nil, err
	}
	now, policy := a.cfg.Now(), app.Sessions.WithDefaults()
	list := make([]*Session, 0, len(records))
	for _, r := range records {
		if !r.live(now, policy) {
			continue
		}
		s, err := a.describeSession(r)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// End ends one session of a user. Another user's does not exist for them.
func (a *Accounts) End(ctx context.Context, app, user, id string) error {
	if !ValidSessionID(id) {
		return Fail(ErrNotFound, "There is no such session.")
	}
	ended, err := a.cfg.Sessions.EndSession(ctx, app, user, id, EndedByUser, a.cfg.Now())
	if err != nil {
		return err
	}
	if !ended {
		return Fail(ErrNotFound, "There is no such session.")
	}
	a.observe(EventSessionEnded, app, string(EndedByUser))
	return nil
}

// EndOthers ends every session of a user but one.
func (a *Accounts) EndOthers(ctx context.Context, app, user, except string, why EndReason) error {
	n, err := a.cfg.Sessions.EndSessions(ctx, app, user, except, why, a.cfg.Now())
	if n > 0 {
		a.observe(EventSessionEnded, app, string(why))
	}
	return err
}
