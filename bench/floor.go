package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/nyaruka/phonenumbers"
	"github.com/redis/rueidis"
)

// This file is the floor: a handler that does the outside work of a start and of a check and knows no rules. It has no
// keys, limits, metrics, idempotency or budgets; it is what the same work costs at least.

const floorBegin = `return redis.call('SET', KEYS[1], ARGV[1], 'EX', 300, 'NX') and 1 or 0`

const floorCheck = `local v = redis.call('GET', KEYS[1])
if v == false then return 0 end
if v == ARGV[1] then redis.call('DEL', KEYS[1]) return 1 end
redis.call('INCR', KEYS[2]) redis.call('EXPIRE', KEYS[2], 300)
return 2`

type floor struct {
	redis  rueidis.Client
	begin  *rueidis.Lua
	check  *rueidis.Lua
	sink   string
	client *http.Client
	secret []byte
	signer *ecdsa.PrivateKey
	log    *slog.Logger
}

// runFloor serves the floor handler until the process is killed.
func runFloor(listen, redisAddress, sink string) error {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{redisAddress}, DisableCache: true})
	if err != nil {
		return fmt.Errorf("floor: %w", err)
	}
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("floor: %w", err)
	}
	f := &floor{
		redis: client, begin: rueidis.NewLuaScript(floorBegin), check: rueidis.NewLuaScript(floorCheck), sink: sink,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}, Timeout: 5 * time.Second},
		secret: []byte("a secret of the floor handler...."), signer: signer, log: slog.New(slog.NewJSONHandler(os.Stderr, nil)),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("POST /start", f.start)
	mux.HandleFunc("POST /check", f.compare)
	server := &http.Server{Addr: listen, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	return server.ListenAndServe()
}

func canonical(text string) (string, error) {
	n, err := phonenumbers.Parse(text, "")
	if err != nil {
		return "", err
	}
	if !phonenumbers.IsValidNumber(n) {
		return "", errors.New("not a number")
	}
	return phonenumbers.Format(n, phonenumbers.E164), nil
}

func (f *floor) mac(parts ...string) []byte {
	m := hmac.New(sha256.New, f.secret)
	for _, p := range parts {
		io.WriteString(m, p)
	}
	return m.Sum(nil)
}

func (f *floor) start(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	var in struct{ To, Channel string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&in); err != nil {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	to, err := canonical(in.To)
	if err != nil {
		http.Error(w, "bad number", http.StatusBadRequest)
		return
	}
	var nonce [16]byte
	rand.Read(nonce[:])
	id := hex.EncodeToString(nonce[:])
	sum := f.mac("code", id, to)
	code := fmt.Sprintf("%06d", (uint32(sum[0])<<24|uint32(sum[1])<<16|uint32(sum[2])<<8|uint32(sum[3]))%1_000_000)
	tag := string(f.mac("tag", id, code))
	ctx := r.Context()
	if n, err := f.begin.Exec(ctx, f.redis, []string{"{" + to + "}:code"}, []string{tag}).AsInt64(); err != nil || n != 1 {
		http.Error(w, "unavailable", http.StatusServiceUnavailable)
		return
	}
	if err := f.post(ctx, map[string]string{"id": id, "to": to, "code": code, "text": code + " is your code."}); err != nil {
		http.Error(w, "delivery failed", http.StatusBadGateway)
		return
	}
	f.log.LogAttrs(ctx, slog.LevelInfo, "request", slog.String("route", "POST /start"), slog.Int("status", 201), slog.String("id", id[:8]), slog.Duration("took", time.Since(began)))
	answer(w, http.StatusCreated, map[string]any{"id": id, "status": "pending", "to": to, "expires_in": 300})
}

func (f *floor) post(ctx context.Context, message map[string]string) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.sink, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := f.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

func (f *floor) compare(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	var in struct{ To, ID, Code string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&in); err != nil {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	to, err := canonical(in.To)
	if err != nil {
		http.Error(w, "bad number", http.StatusBadRequest)
		return
	}
	ctx := r.Context()
	tag := string(f.mac("tag", in.ID, in.Code))
	n, err := f.check.Exec(ctx, f.redis, []string{"{" + to + "}:code", "{" + to + "}:n"}, []string{tag}).AsInt64()
	if err != nil {
		http.Error(w, "unavailable", http.StatusServiceUnavailable)
		return
	}
	status, body := http.StatusUnprocessableEntity, map[string]any{"code": "incorrect_code"}
	if n == 1 {
		digest := sha256.Sum256([]byte(in.ID))
		signature, err := ecdsa.SignASN1(rand.Reader, f.signer, digest[:])
		if err != nil {
			http.Error(w, "internal", http.StatusInternalServerError)
			return
		}
		status, body = http.StatusOK, map[string]any{"status": "approved", "proof": base64.RawURLEncoding.EncodeToString(signature)}
	}
	f.log.LogAttrs(ctx, slog.LevelInfo, "request", slog.String("route", "POST /check"), slog.Int("status", status), slog.Duration("took", time.Since(began)))
	answer(w, status, body)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		slog.Error("floor: writing an answer", "error", err)
	}
}
