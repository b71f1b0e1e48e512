package countersign

import (
	"encoding/json"
	"fmt"
	"strings"

	fastjson "github.com/go-json-experiment/json"

	"countersign/phone"
)

func marshalSealed(s *Sealed) ([]byte, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encoding what is sealed: %w", err)
	}
	return b, nil
}

func unmarshalSealed(b []byte) (*Sealed, Address, error) {
	var s Sealed
	if err := fastjson.Unmarshal(b, &s); err != nil { // half the time of encoding/json, on every check
		return nil, Address{}, fmt.Errorf("decoding what is sealed: %w", err)
	}
	to, err := decodeAddress(s.To)
	if err != nil {
		return nil, Address{}, fmt.Errorf("decoding what is sealed: %w", err)
	}
	return &s, to, nil
}

// encode is an address as it is sealed.
func (a Address) encode() string {
	if a.email != "" {
		return a.email
	}
	return a.number.Encode()
}

// decodeAddress reverses encode, for text that this program sealed itself.
func decodeAddress(text string) (Address, error) {
	if strings.IndexByte(text, '@') > 0 {
		return Address{email: text}, nil
	}
	n, err := phone.Decode(text)
	if err != nil {
		return Address{}, err
	}
	return PhoneAddress(n), nil
}
