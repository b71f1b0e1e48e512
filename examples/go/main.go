// Command go is a server with phone login in two forms, without script: it starts a verification, checks the code,
// verifies the proof offline and keeps a session in memory.
//
//	go run ./examples/go        with the sandbox beside it: http://127.0.0.1:3000
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	"countersign/client"
	"countersign/client/proof"
)

//go:embed pages.html page.css
var files embed.FS

var pages = template.Must(template.ParseFS(files, "pages.html"))

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	address := cmp.Or(os.Getenv("COUNTERSIGN_URL"), "http://127.0.0.1:8080")
	app, err := newApp(address, cmp.Or(os.Getenv("COUNTERSIGN_KEY"), "sk_sandbox_demo"))
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+cmp.Or(os.Getenv("PORT"), "3000"))
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: app, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	fmt.Printf("http://%s\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}

// session is what is known of one browser. In memory, because this is an example.
type session struct {
	verification, nonce string
	to                  string // whom the code went to
	phone               string // once signed in
}

type app struct {
	http.Handler
	client *client.Client
	proofs *proof.Verifier

	mu       sync.Mutex
	sessions map[string]session
}

func newApp(address, key string) (*app, error) {
	c, err := client.New(client.Config{URL: address, Key: key})
	if err != nil {
		return nil, err
	}
	a := &app{
		client: c, sessions: map[string]session{},
		proofs: &proof.Verifier{Issuer: strings.TrimSuffix(address, "/"), App: cmp.Or(os.Getenv("COUNTERSIGN_APP"), "demo"), Keys: proof.NewKeys(address)},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.home)
	mux.Handle("GET /page.css", http.FileServerFS(files))
	mux.HandleFunc("POST /start", a.start)
	mux.HandleFunc("POST /check", a.check)
	mux.HandleFunc("POST /logout", a.logout)
	// A form of another site must not log anybody in.
	a.Handler = http.NewCrossOriginProtection().Handler(mux)
	return a, nil
}

// view is what the pages show.
type view struct {
	Phone   string // who is signed in
	To      string // whom a code went to: the code form
	Typed   string // a number that was refused
	Problem string
}

func (a *app) home(w http.ResponseWriter, r *http.Request) {
	_, s := a.session(r)
	show(w, http.StatusOK, view{Phone: s.phone, To: s.to})
}

// start sends a code. The verification's id stays in the session: it binds the code to the browser that asked for it.
func (a *app) start(w http.ResponseWriter, r *http.Request) {
	nonce := rand.Text()
	v, err := a.client.Start(r.Context(), &client.StartRequest{
		To: r.PostFormValue("phone"), Region: "US", Purpose: client.PurposeLogin, Nonce: nonce, Client: person(r),
	})
	if err != nil {
		refuse(w, err, view{Typed: r.PostFormValue("phone")})
		return
	}
	a.keep(w, "", session{verification: v.ID, nonce: nonce, to: v.To})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *app) check(w http.ResponseWriter, r *http.Request) {
	id, s := a.session(r)
	if s.verification == "" {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	v, err := a.client.Check(r.Context(), s.verification, &client.CheckRequest{Code: r.PostFormValue("code"), Client: person(r)})
	if err != nil {
		over := errors.Is(err, client.ErrVerificationClosed) || errors.Is(err, client.ErrVerificationExpired) || errors.Is(err, client.ErrNotFound)
		if over {
			a.keep(w, id, session{})
			s.to = ""
		}
		refuse(w, err, view{To: s.to})
		return
	}
	// The check was our own call, so its answer is trusted as it is. The proof is verified all the same, as whoever gets it
	// from a browser has to.
	claims, err := a.proofs.Verify(r.Context(), v.Proof, proof.Want{Purpose: "login", Nonce: s.nonce})
	if err != nil {
		refuse(w, err, view{})
		return
	}
	a.keep(w, id, session{phone: claims.PhoneNumber}) // under a new name: a session's name from before a login is not kept
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (a *app) logout(w http.ResponseWriter, r *http.Request) {
	id, _ := a.session(r)
	a.keep(w, id, session{})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

const cookieName = "session"

func (a *app) session(r *http.Request) (string, session) {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return "", session{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return c.Value, a.sessions[c.Value]
}

// keep replaces a session by one with a new name.
func (a *app) keep(w http.ResponseWriter, old string, s session) {
	id := rand.Text()
	a.mu.Lock()
	delete(a.sessions, old)
	a.sessions[id] = s
	a.mu.Unlock()
	// Behind TLS it is Secure, too, and named __Host-session.
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// person is whom the limits of one client count.
func person(r *http.Request) *client.Person {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return nil
	}
	return &client.Person{IP: host, UserAgent: r.UserAgent()}
}

// refuse says what went wrong, in words for people.
func refuse(w http.ResponseWriter, err error, v view) {
	status := http.StatusBadGateway
	v.Problem = "This does not work right now. Please try again in a moment."
	var p *client.Problem
	if errors.As(err, &p) && p.Status < 500 {
		status = http.StatusUnprocessableEntity
		v.Problem = words(p)
	} else {
		log.Print(err)
	}
	show(w, status, v)
}

func words(p *client.Problem) string {
	switch p.Code {
	case client.ErrIncorrectCode:
		if p.ChecksLeft != nil && *p.ChecksLeft > 0 {
			return fmt.Sprintf("That code is not right. Attempts left: %d.", *p.ChecksLeft)
		}
		return "That code is not right, and no attempts are left."
	case client.ErrInvalidPhoneNumber:
		return "That phone number is not valid."
	case client.ErrInvalidCode:
		return "Enter the whole code, as in the message."
	case client.ErrVerificationExpired, client.ErrVerificationClosed, client.ErrNotFound:
		return "The code can no longer be used. Please ask for a new one."
	}
	if p.RetryAfter > 0 {
		return fmt.Sprintf("Please try again in %s.", p.RetryAfter.Duration())
	}
	return "That is not possible with this number."
}

func show(w http.ResponseWriter, status int, v view) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	w.WriteHeader(status)
	if err := pages.Execute(w, v); err != nil {
		log.Print(err)
	}
}
