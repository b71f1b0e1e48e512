package config

import (
	"time"
)

// Sessions is what the file says of an app's sessions.
type Sessions struct {
	Profile    string // "aal1" or "aal2"
	Lifetime   time.Duration
	Idle       time.Duration
	TestLogins bool
}

func sessionSettings() []Setting {
	return []Setting{
		{Path: "apps.*.sessions.profile", Doc: "`aal1` (default): a session ends after 30 days. `aal2`: after 24 hours, or an hour without a refresh (NIST SP 800-63B-4).", set: ofApp(func(a *App) *string { return &a.Sessions.Profile }, oneOf[string]("aal1", "aal2"))},
		{Path: "apps.*.sessions.lifetime", Doc: "Ends sessions earlier than the profile does, e.g. `12h`.", set: ofApp(func(a *App) *time.Duration { return &a.Sessions.Lifetime }, between(time.Minute, 30*24*time.Hour))},
		{Path: "apps.*.sessions.idle", Doc: "Ends sessions that were not refreshed for so long, at least 20m: an access token lives for 15 minutes.", set: ofApp(func(a *App) *time.Duration { return &a.Sessions.Idle }, between(20*time.Minute, 30*24*time.Hour))},
		{Path: "apps.*.test_logins", Doc: "Let proofs of test numbers make sessions. Anybody who knows a test number can then log in as its user.", set: ofApp(func(a *App) *bool { return &a.Sessions.TestLogins }, yesOrNo)},
	}
}
