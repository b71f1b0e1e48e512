package config

// Guard is what the file says of the guard.
type Guard struct {
	Policy    string // path of the policy file
	Decisions string // path of the decision log
	ASNFile   string // path of a MaxMind DB of AS numbers
}

func guardSettings() []Setting {
	return []Setting{
		{
			Path: "guard.policy", Doc: "A policy file: countries, lists, budgets, rates and shadow rules of every app (docs/guard.md). What it says beats `apps.*.countries`, `line_types` and `limits`. Read again on SIGHUP.",
			set: into(func(c *Config) *string { return &c.Guard.Policy }, anyText),
		},
		{
			Path: "guard.decisions", Doc: "A file to which every decision of the guard is appended, one line of JSON each, without personal data (docs/guard.md). By default none is kept.",
			set: into(func(c *Config) *string { return &c.Guard.Decisions }, anyText),
		},
		{
			Path: "guard.asn_file", Doc: "A MaxMind DB file that says which operator (AS number) announces an address, such as GeoLite2-ASN.mmdb. With it `budget_asn` counts (docs/guard.md). Read again on SIGHUP.",
			set: into(func(c *Config) *string { return &c.Guard.ASNFile }, anyText),
		},
	}
}
