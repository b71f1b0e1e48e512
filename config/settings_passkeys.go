package config

// Passkeys is what the file says of an app's passkeys.
type Passkeys struct {
	RPID    string
	Origins []string
}

func passkeySettings() []Setting {
	return []Setting{
		{Path: "apps.*.passkeys.rp_id", Doc: "The domain that people's passkeys are made for, e.g. `example.com`; it serves all hosts below it, and passkeys are lost when it changes. By default the host of `public_url`; where that is an IP address there are no passkeys, and in the sandbox it is `localhost`.", set: ofApp(func(a *App) *string { return &a.Passkeys.RPID }, anyText)},
		{List: true, Path: "apps.*.passkeys.origins", Doc: "Exact origins of the pages that may make and use them: hosts of that domain, by https. By default that of `public_url`, and in the sandbox also those of `origins` that are of `localhost`.", set: ofApp(func(a *App) *[]string { return &a.Passkeys.Origins }, origins)},
	}
}
