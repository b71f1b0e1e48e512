package proof

// This file keeps the instance's public keys. A key is published before it signs and stays until what it signed has run
// out, so a set that is minutes old serves; an unknown kid asks for a new set, but a stranger who invents kids must not
// make us ask all the time.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Ages of a key set.
const (
	freshFor  = 5 * time.Minute  // asked for again after this
	staleFor  = time.Hour        // used no longer than this while the instance is out of reach
	askAtMost = 10 * time.Second // between two questions
)

const maxKeySet = 64 << 10

// Keys is an instance's public keys: fetched when first needed, and kept.
type Keys struct {
	HTTP *http.Client     // nil: one with a timeout of 5 s
	Now  func() time.Time // nil: time.Now

	url   string
	lock  chan struct{} // held by whoever looks or fetches; a mutex that a context can leave
	set   jose.JSONWebKeySet
	at    time.Time // of set
	asked time.Time
}

// NewKeys are the keys of the instance at an address, such as https://verify.example.com.
func NewKeys(instance string) *Keys {
	return &Keys{url: strings.TrimSuffix(instance, "/") + "/.well-known/jwks.json", lock: make(chan struct{}, 1)}
}

// Fixed are keys that were brought along, as a JWK set in JSON.
func Fixed(jwks []byte) (*Keys, error) {
	k := &Keys{lock: make(chan struct{}, 1)}
	if err := json.Unmarshal(jwks, &k.set); err != nil {
		return nil, fmt.Errorf("reading a key set: %w", err)
	}
	return k, nil
}

// find is the key of a kid.
func (k *Keys) find(ctx context.Context, kid string) (*jose.JSONWebKey, error) {
	if kid == "" {
		return nil, refused("its header names no key")
	}
	select {
	case k.lock <- struct{}{}:
		defer func() { <-k.lock }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if k.url == "" {
		return pick(&k.set, kid)
	}
	now := k.now()
	age := now.Sub(k.at)
	key, err := pick(&k.set, kid)
	if err == nil && age < freshFor {
		return key, nil
	}
	if now.Sub(k.asked) >= askAtMost {
		if fetchErr := k.fetch(ctx, now); fetchErr == nil {
			return pick(&k.set, kid)
		} else if err != nil || age > staleFor {
			return nil, fetchErr
		}
	}
	if age > staleFor {
		return nil, errors.New("the instance's keys are too old, and it does not answer")
	}
	return key, err
}

func (k *Keys) now() time.Time {
	if k.Now != nil {
		return k.Now()
	}
	return time.Now()
}

// pick takes no key that is meant for something else.
func pick(set *jose.JSONWebKeySet, kid string) (*jose.JSONWebKey, error) {
	for _, key := range set.Key(kid) {
		if key.Use != "enc" && (key.Algorithm == "" || key.Algorithm == string(jose.ES256)) && key.Valid() && key.IsPublic() {
			return &key, nil
		}
	}
	return nil, refused("no key of the instance has its kid")
}

func (k *Keys) fetch(ctx context.Context, now time.Time) error {
	k.asked = now
	client := k.HTTP
	if client == nil {
		client = &http.Client{Timeout: 5 * time.Second}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return fmt.Errorf("building a request for the instance's keys: %w", err)
	}
	res, err := client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			k.asked = time.Time{} // the caller left; the next one may ask
		}
		return fmt.Errorf("fetching the instance's keys: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxKeySet))
	if err != nil {
		return fmt.Errorf("reading the instance's keys: %w", err)
	}
	var set jose.JSONWebKeySet
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("fetching the instance's keys: it answered %s", res.Status)
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return fmt.Errorf("reading the instance's keys: %w", err)
	}
	k.set, k.at = set, now
	return nil
}
