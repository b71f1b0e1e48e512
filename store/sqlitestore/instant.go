package sqlitestore

import "time"

// instant is a point of the store's time in milliseconds since 1970; zero is "none". Both stores keep
// milliseconds, so that they answer alike.
type instant int64

func instantOf(t time.Time) instant {
	if t.IsZero() {
		return 0
	}
	return instant(t.UnixMilli())
}

// time gives the zero time for none.
func (i instant) time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(i)).UTC()
}

func (i instant) add(d time.Duration) instant { return i + instant(d.Milliseconds()) }

// until is the time from now to i, never negative.
func (i instant) until(now instant) time.Duration {
	return max(0, time.Duration(i-now)*time.Millisecond)
}
