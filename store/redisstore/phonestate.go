package redisstore

import (
	"context"
	"time"

	"countersign"
)

// PhoneState implements countersign.PhoneStater.
func (s *Store) PhoneState(ctx context.Context, phone countersign.Hash) (countersign.PhoneState, time.Time, error) {
	list, err := s.call(ctx, s.scripts.phone, phoneShard(phone), phoneKey(phone), []string{"", ""})
	if err != nil {
		return countersign.PhoneState{}, time.Time{}, err
	}
	if len(list) < ansEnded {
		return countersign.PhoneState{}, time.Time{}, errPacked
	}
	return phoneState(list), instant(number(list[ansNow])), nil
}
