package sdktest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"countersign"
	"countersign/nodetest"
	"countersign/sinchapi"
	"countersign/sinchapi/sinchtest"
	"countersign/sinchauth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	appKey    = "dec0de00-0000-4000-8000-000000000001"
	appSecret = "c2FuZGJveC1kZW1vLXNlY3JldA=="
)

func TestVendorClient(t *testing.T) {
	app := newApp(t)
	face := newFace(t, app.URL+"/hooks/sinch")
	nodetest.Script(t, ".", "sdk.test.mjs", "FACE_URL="+face, "APP_URL="+app.URL, "APP_KEY="+appKey, "APP_SECRET="+appSecret)
}

// newFace serves the face on a loopback address and returns that.
func newFace(t *testing.T, callback string) string {
	t.Helper()
	secret, err := sinchauth.ParseSecret(appSecret)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	engine := &sinchtest.Engine{Seamless: true}
	face, err := sinchapi.New(sinchapi.Config{
		Engine: engine, BaseURL: "http://" + server.Listener.Addr().String(), Now: engine.Now,
		Apps: []sinchapi.App{{
			App:         &countersign.App{ID: "demo", Name: "Demo", Texts: sinchtest.Texts{}},
			Credentials: sinchauth.Credentials{Key: appKey, Secret: secret}, CallbackURL: callback,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = face
	server.Start()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- face.Run(ctx) }()
	t.Cleanup(func() {
		server.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return server.URL
}

// captured is one callback as it came.
type captured struct {
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	Path    string            `json:"path"`
	Method  string            `json:"method"`
}

// newApp is an app's server: it allows everything, and tells what it was sent about one verification once that has
// a result.
func newApp(t *testing.T) *httptest.Server {
	t.Helper()
	var mu sync.Mutex
	var list []captured
	arrived := sync.NewCond(&mu)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /hooks/sinch", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		c := captured{Headers: map[string]string{}, Body: string(body), Path: r.URL.Path, Method: r.Method}
		for name := range r.Header {
			c.Headers[strings.ToLower(name)] = r.Header.Get(name) // as Node hands them to a server
		}
		mu.Lock()
		list = append(list, c)
		mu.Unlock()
		arrived.Broadcast()
		fmt.Fprint(w, `{"action":"allow"}`)
	})
	mux.HandleFunc("GET /captured", func(w http.ResponseWriter, r *http.Request) {
		id := r.URL.Query().Get("id")
		mu.Lock()
		defer mu.Unlock()
		for {
			var mine []captured
			for _, c := range list {
				if strings.Contains(c.Body, id) {
					mine = append(mine, c)
				}
			}
			if len(mine) > 0 && strings.Contains(mine[len(mine)-1].Body, "VerificationResultEvent") {
				if err := json.NewEncoder(w).Encode(mine); err != nil {
					t.Error(err)
				}
				return
			}
			arrived.Wait()
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}
