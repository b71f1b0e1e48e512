package message

// The built-in texts of the languages that are written in Latin letters. Their short messages stay within GSM-7, so
// they avoid words with letters that it lacks (á, í, ó, ú, ç, ã, õ and others); voice and e-mail need not.

// words are one purpose's texts in one language.
type words struct {
	short, voice, subject, mail string
}

// speech is a language.
type speech struct {
	tag   string
	pause string // between the spoken characters of a code

	signup, login, stepup, transaction words
}

func latinSpeeches() []speech {
	return []speech{english(), spanish(), french(), german(), swedish(), portuguese()}
}

func english() speech {
	const mail = "\n\nIt is valid for {{minutes}} min. Never share it. If you did not ask for it, ignore this message."
	return speech{
		tag: "en", pause: ", ",
		signup: words{
			"{{code}} is your {{app}} sign-up code. Never share it.",
			"Your {{app}} sign-up code is: {{code}}. Again: {{code}}. Never share it.",
			"Your {{app}} sign-up code",
			"{{code}} is your {{app}} sign-up code." + mail,
		},
		login: words{
			"{{code}} is your {{app}} login code. Never share it.",
			"Your {{app}} login code is: {{code}}. Again: {{code}}. Never share it.",
			"Your {{app}} login code",
			"{{code}} is your {{app}} login code." + mail,
		},
		stepup: words{
			"{{code}} is your {{app}} security code. Never share it.",
			"Your {{app}} security code is: {{code}}. Again: {{code}}. Never share it.",
			"Your {{app}} security code",
			"{{code}} is your {{app}} security code." + mail,
		},
		transaction: words{
			"{{code}} approves {{amount}} {{currency}} to {{payee}} ({{app}}). Never share it.",
			"The {{app}} code that approves {{amount}} {{currency}} to {{payee}} is: {{code}}. Again: {{code}}. Never share it.",
			"Your {{app}} approval code",
			"{{code}} approves {{amount}} {{currency}} to {{payee}} ({{app}})." + mail,
		},
	}
}

func spanish() speech {
	const mail = "\n\nVale durante {{minutes}} min. No lo compartas. Si no lo has pedido, ignora este mensaje."
	return speech{
		tag: "es", pause: ", ",
		signup: words{
			"{{code}} es tu clave para registrarte en {{app}}. No la compartas.",
			"Tu código para registrarte en {{app}} es: {{code}}. Otra vez: {{code}}. No lo compartas.",
			"Tu código para registrarte en {{app}}",
			"{{code}} es tu código para registrarte en {{app}}." + mail,
		},
		login: words{
			"{{code}} es tu clave para entrar en {{app}}. No la compartas.",
			"Tu código para entrar en {{app}} es: {{code}}. Otra vez: {{code}}. No lo compartas.",
			"Tu código para entrar en {{app}}",
			"{{code}} es tu código para entrar en {{app}}." + mail,
		},
		stepup: words{
			"{{code}} es tu clave de seguridad de {{app}}. No la compartas.",
			"Tu código de seguridad de {{app}} es: {{code}}. Otra vez: {{code}}. No lo compartas.",
			"Tu código de seguridad de {{app}}",
			"{{code}} es tu código de seguridad de {{app}}." + mail,
		},
		transaction: words{
			"{{code}} aprueba {{amount}} {{currency}} para {{payee}} ({{app}}). No la compartas.",
			"El código de {{app}} que aprueba {{amount}} {{currency}} para {{payee}} es: {{code}}. Otra vez: {{code}}. No lo compartas.",
			"Tu código de aprobación de {{app}}",
			"{{code}} aprueba {{amount}} {{currency}} para {{payee}} ({{app}})." + mail,
		},
	}
}

func french() speech {
	const mail = "\n\nIl est valable {{minutes}} min. Ne le partagez pas. Si vous ne l'avez pas demandé, ignorez ce message."
	return speech{
		tag: "fr", pause: ", ",
		signup: words{
			"{{code}} est votre code d'inscription {{app}}. Ne le partagez pas.",
			"Votre code d'inscription {{app}} est : {{code}}. Je répète : {{code}}. Ne le partagez pas.",
			"Votre code d'inscription {{app}}",
			"{{code}} est votre code d'inscription {{app}}." + mail,
		},
		login: words{
			"{{code}} est votre code de connexion {{app}}. Ne le partagez pas.",
			"Votre code de connexion {{app}} est : {{code}}. Je répète : {{code}}. Ne le partagez pas.",
			"Votre code de connexion {{app}}",
			"{{code}} est votre code de connexion {{app}}." + mail,
		},
		stepup: words{
			"{{code}} est votre code de sécurité {{app}}. Ne le partagez pas.",
			"Votre code de sécurité {{app}} est : {{code}}. Je répète : {{code}}. Ne le partagez pas.",
			"Votre code de sécurité {{app}}",
			"{{code}} est votre code de sécurité {{app}}." + mail,
		},
		transaction: words{
			"{{code}} valide {{amount}} {{currency}} pour {{payee}} ({{app}}). Ne le partagez pas.",
			"Le code {{app}} qui valide {{amount}} {{currency}} pour {{payee}} est : {{code}}. Je répète : {{code}}. Ne le partagez pas.",
			"Votre code de validation {{app}}",
			"{{code}} valide {{amount}} {{currency}} pour {{payee}} ({{app}})." + mail,
		},
	}
}

func german() speech {
	const mail = "\n\nEr gilt {{minutes}} Min. Geben Sie ihn nicht weiter. Wenn Sie ihn nicht angefordert haben, ignorieren Sie diese Nachricht."
	return speech{
		tag: "de", pause: ", ",
		signup: words{
			"{{code}} ist Ihr Code zur Registrierung bei {{app}}. Nicht weitergeben.",
			"Ihr Code zur Registrierung bei {{app}} lautet: {{code}}. Noch einmal: {{code}}. Geben Sie ihn nicht weiter.",
			"Ihr Code zur Registrierung bei {{app}}",
			"{{code}} ist Ihr Code zur Registrierung bei {{app}}." + mail,
		},
		login: words{
			"{{code}} ist Ihr Code zur Anmeldung bei {{app}}. Nicht weitergeben.",
			"Ihr Code zur Anmeldung bei {{app}} lautet: {{code}}. Noch einmal: {{code}}. Geben Sie ihn nicht weiter.",
			"Ihr Code zur Anmeldung bei {{app}}",
			"{{code}} ist Ihr Code zur Anmeldung bei {{app}}." + mail,
		},
		stepup: words{
			"{{code}} ist Ihr Sicherheitscode von {{app}}. Nicht weitergeben.",
			"Ihr Sicherheitscode von {{app}} lautet: {{code}}. Noch einmal: {{code}}. Geben Sie ihn nicht weiter.",
			"Ihr Sicherheitscode von {{app}}",
			"{{code}} ist Ihr Sicherheitscode von {{app}}." + mail,
		},
		transaction: words{
			"{{code}} bestätigt {{amount}} {{currency}} an {{payee}} ({{app}}). Nicht weitergeben.",
			"Der Code von {{app}} für {{amount}} {{currency}} an {{payee}} lautet: {{code}}. Noch einmal: {{code}}. Geben Sie ihn nicht weiter.",
			"Ihr Freigabecode von {{app}}",
			"{{code}} bestätigt {{amount}} {{currency}} an {{payee}} ({{app}})." + mail,
		},
	}
}

func swedish() speech {
	const mail = "\n\nDen gäller i {{minutes}} min. Dela den inte. Om du inte bad om den kan du bortse från meddelandet."
	return speech{
		tag: "sv", pause: ", ",
		signup: words{
			"{{code}} är din kod för att registrera dig hos {{app}}. Dela den inte.",
			"Din kod för att registrera dig hos {{app}} är: {{code}}. Igen: {{code}}. Dela den inte.",
			"Din kod för att registrera dig hos {{app}}",
			"{{code}} är din kod för att registrera dig hos {{app}}." + mail,
		},
		login: words{
			"{{code}} är din kod för att logga in hos {{app}}. Dela den inte.",
			"Din kod för att logga in hos {{app}} är: {{code}}. Igen: {{code}}. Dela den inte.",
			"Din kod för att logga in hos {{app}}",
			"{{code}} är din kod för att logga in hos {{app}}." + mail,
		},
		stepup: words{
			"{{code}} är din säkerhetskod hos {{app}}. Dela den inte.",
			"Din säkerhetskod hos {{app}} är: {{code}}. Igen: {{code}}. Dela den inte.",
			"Din säkerhetskod hos {{app}}",
			"{{code}} är din säkerhetskod hos {{app}}." + mail,
		},
		transaction: words{
			"{{code}} godkänner {{amount}} {{currency}} till {{payee}} ({{app}}). Dela den inte.",
			"Koden hos {{app}} som godkänner {{amount}} {{currency}} till {{payee}} är: {{code}}. Igen: {{code}}. Dela den inte.",
			"Din kod för godkännande hos {{app}}",
			"{{code}} godkänner {{amount}} {{currency}} till {{payee}} ({{app}})." + mail,
		},
	}
}

func portuguese() speech {
	const mail = "\n\nÉ válido por {{minutes}} min. Não o partilhe. Se não o pediu, ignore esta mensagem."
	return speech{
		tag: "pt", pause: ", ",
		signup: words{
			"{{code}} para criar conta em {{app}}. Nunca mostre a outra pessoa.",
			"O seu código para criar conta em {{app}} é: {{code}}. Outra vez: {{code}}. Não o partilhe.",
			"O seu código para criar conta em {{app}}",
			"{{code}} é o seu código para criar conta em {{app}}." + mail,
		},
		login: words{
			"{{code}} para entrar em {{app}}. Nunca mostre a outra pessoa.",
			"O seu código para entrar em {{app}} é: {{code}}. Outra vez: {{code}}. Não o partilhe.",
			"O seu código para entrar em {{app}}",
			"{{code}} é o seu código para entrar em {{app}}." + mail,
		},
		stepup: words{
			"{{code}} para confirmar quem é em {{app}}. Nunca mostre a outra pessoa.",
			"O seu código de segurança de {{app}} é: {{code}}. Outra vez: {{code}}. Não o partilhe.",
			"O seu código de segurança de {{app}}",
			"{{code}} é o seu código de segurança de {{app}}." + mail,
		},
		transaction: words{
			"{{code}} aprova {{amount}} {{currency}} para {{payee}} ({{app}}). Nunca mostre a outra pessoa.",
			"O código de {{app}} que aprova {{amount}} {{currency}} para {{payee}} é: {{code}}. Outra vez: {{code}}. Não o partilhe.",
			"O seu código de aprovação de {{app}}",
			"{{code}} aprova {{amount}} {{currency}} para {{payee}} ({{app}})." + mail,
		},
	}
}
