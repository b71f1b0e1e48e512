package config

// HostedWebhook is how a webhook vendor checks the codes that it makes.
type HostedWebhook struct{ Report, Status HostedQuestion }

// HostedQuestion is one request about a webhook vendor's verification.
type HostedQuestion struct {
	Method, URL, ContentType, Body string
	StatusPath, ToPath, RefPath    string
	Statuses, HTTPStatuses         map[string]string
}

// Configured says whether anything was said of it.
func (h *HostedWebhook) Configured() bool { return h.Report.configured() || h.Status.configured() }

func (q *HostedQuestion) configured() bool {
	return q.Method+q.URL+q.ContentType+q.Body+q.StatusPath+q.ToPath+q.RefPath != "" || len(q.Statuses)+len(q.HTTPStatuses) > 0
}

func hostedSettings() []Setting {
	list := questionSettings("providers.*.hosted.report.", "a guess is reported", func(p *Provider) *HostedQuestion { return &p.Hosted.Report })
	list = append(list, questionSettings("providers.*.hosted.status.", "the state is read", func(p *Provider) *HostedQuestion { return &p.Hosted.Status })...)
	return append(list, Setting{
		Path: "providers.*.hosted.status.ref_path", Doc: "webhook, vendor's code: where the answer has the vendor's id, for starts whose answer was lost.",
		set: ofProvider(func(p *Provider) *string { return &p.Hosted.Status.RefPath }, anyText),
	})
}

func questionSettings(at, when string, of func(*Provider) *HostedQuestion) []Setting {
	text := func(name, doc string, noEnv bool, field func(*HostedQuestion) *string) Setting {
		return Setting{
			Path: at + name, NoEnv: noEnv, Doc: "webhook, vendor's code: " + doc,
			set: ofProvider(func(p *Provider) *string { return field(of(p)) }, anyText),
		}
	}
	words := func(name, doc string, field func(*HostedQuestion) *map[string]string) Setting {
		return Setting{
			Path: at + name + ".*", NoEnv: true, Doc: "webhook, vendor's code: " + doc,
			set: ofProviderMap(func(p *Provider) *map[string]string { return field(of(p)) }),
		}
	}
	return []Setting{
		text("url", "where "+when+"; a template. The first of these settings makes the vendor the owner of the code.", true, func(q *HostedQuestion) *string { return &q.URL }),
		text("method", "the method by which "+when+".", false, func(q *HostedQuestion) *string { return &q.Method }),
		text("content_type", "of the body. By default `application/json`.", false, func(q *HostedQuestion) *string { return &q.ContentType }),
		text("body", "template of the body.", true, func(q *HostedQuestion) *string { return &q.Body }),
		text("status_path", "where the JSON answer has the verification's status. By default `status`.", false, func(q *HostedQuestion) *string { return &q.StatusPath }),
		words("statuses", "what a word there means: `pending`, `approved`, `failed`, `expired`, `denied`, `canceled` or `undeliverable`.", func(q *HostedQuestion) *map[string]string { return &q.Statuses }),
		words("http_statuses", "the same for an HTTP status, where no word is known. Never `approved`.", func(q *HostedQuestion) *map[string]string { return &q.HTTPStatuses }),
		text("to_path", "where the answer names the number, to be compared with ours.", false, func(q *HostedQuestion) *string { return &q.ToPath }),
	}
}
