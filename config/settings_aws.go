package config

// AWS is what type aws has beyond key_id, key_secret, region and sender.
type AWS struct{ ConfigurationSet, TopicARN, Profile string }

func awsSettings() []Setting {
	return []Setting{
		{Path: "providers.*.configuration_set", Doc: "aws: the configuration set; events, and with them receipts, belong to one.", set: ofProvider(func(p *Provider) *string { return &p.AWS.ConfigurationSet }, anyText)},
		{Path: "providers.*.topic_arn", Doc: "aws: the SNS topic of the receipts, which is subscribed to /hooks/NAME/status.", set: ofProvider(func(p *Provider) *string { return &p.AWS.TopicARN }, anyText)},
		{Path: "providers.*.profile", Doc: "aws: the profile of the shared files; by default `AWS_PROFILE` or `default`.", set: ofProvider(func(p *Provider) *string { return &p.AWS.Profile }, anyText)},
	}
}
