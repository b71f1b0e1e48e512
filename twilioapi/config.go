package twilioapi

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"countersign"
)

// Engine is what the face needs of the verification engine. *countersign.Verifier is one.
type Engine interface {
	Start(ctx context.Context, q *countersign.StartRequest) (*countersign.Verification, error)
	Send(ctx context.Context, q *countersign.SendRequest) (*countersign.Verification, error)
	Check(ctx context.Context, q *countersign.CheckRequest) (*countersign.Verification, error)
	Get(ctx context.Context, app *countersign.App, id string) (*countersign.Verification, error)
	Live(ctx context.Context, app *countersign.App, to countersign.Address, face countersign.Face) ([]*countersign.Verification, error)
	List(ctx context.Context, q *countersign.ListRequest) ([]*countersign.Verification, countersign.Cursor, error)
	Cancel(ctx context.Context, q *countersign.CancelRequest) (*countersign.Verification, error)
	Vouch(ctx context.Context, q *countersign.CancelRequest) (*countersign.Verification, error)
}

var _ Engine = (*countersign.Verifier)(nil)

// Objects keeps what an app makes through the API: services, rate limits, buckets, safe-list entries.
type Objects interface {
	// Put writes one. ErrObjectExists when another of the same app, kind and parent has its name.
	Put(ctx context.Context, o *countersign.FaceObject) error
	// Get reads one; ErrNotFound otherwise.
	Get(ctx context.Context, app, sid string) (*countersign.FaceObject, error)
	// List reads all of an app, kind and parent, oldest first.
	List(ctx context.Context, app, kind, parent string) ([]*countersign.FaceObject, error)
	// Delete removes one and what has it as parent; false when there was none.
	Delete(ctx context.Context, app, sid string) (bool, error)
}

// App opens the face for one app.
type App struct {
	App     *countersign.App
	Account string // AC and 32 hexadecimal digits
	Token   string // letters and digits only: the vendor's Go library refuses others
	Service string // VA and 32 hexadecimal digits: the app itself
	// HideEnded answers a fetch of an approved or expired verification with 404, as the vendor does.
	HideEnded bool
}

// Config is what a Face works with.
type Config struct {
	Engine  Engine
	Objects Objects
	Keys    func() *countersign.Keyring
	Apps    []App
	BaseURL string // the instance's public address, for links
	Now     func() time.Time
	Log     *slog.Logger // nil for none
}

var (
	accountForm = regexp.MustCompile(`^AC[0-9a-fA-F]{32}$`)
	serviceForm = regexp.MustCompile(`^VA[0-9a-fA-F]{32}$`)
	tokenForm   = regexp.MustCompile(`^[0-9A-Za-z]{1,128}$`)
)

// Validate reports everything that is wrong, naming the app by its id.
func (c *Config) Validate() error {
	var errs []error
	if c.Engine == nil || c.Objects == nil || c.Keys == nil || c.Now == nil || c.BaseURL == "" {
		errs = append(errs, errors.New("twilio face: engine, objects, keys, clock and public address are required"))
	}
	accounts := map[string]bool{}
	for i := range c.Apps {
		a := &c.Apps[i]
		if a.App == nil {
			errs = append(errs, errors.New("twilio face: an app is missing"))
			continue
		}
		bad := func(text string) { errs = append(errs, fmt.Errorf("apps.%s.faces.twilio.%s", a.App.ID, text)) }
		if !accountForm.MatchString(a.Account) {
			bad("account_sid: expected is AC and 32 hexadecimal digits")
		} else if accounts[a.Account] {
			bad("account_sid: two apps have the same one")
		}
		accounts[a.Account] = true
		if !tokenForm.MatchString(a.Token) {
			bad("auth_token: expected are letters and digits only, at most 128")
		}
		if !serviceForm.MatchString(a.Service) {
			bad("service_sid: expected is VA and 32 hexadecimal digits")
		}
	}
	return errors.Join(errs...)
}

// tenant is an app on this face.
type tenant struct {
	App
	token [sha256.Size]byte
}

// New makes a Face.
func New(cfg Config) (*Face, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	f := &Face{cfg: cfg, apps: make(map[string]*tenant, len(cfg.Apps))}
	for _, a := range cfg.Apps {
		f.apps[a.Account] = &tenant{App: a, token: sha256.Sum256([]byte(a.Token))}
	}
	return f, nil
}
