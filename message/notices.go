package message

import (
	"golang.org/x/text/language"

	"countersign"
)

// This file has the texts that tell a person what happened to their account. They carry no code and no link, and like the
// short messages with codes those in Latin letters stay within GSM-7.

// notices are the notices in one language.
type notices struct {
	tag   string
	begin string // names who speaks
	end   string // says what to do

	numberChanged, factorAdded, factorRemoved, factorLocked, recoveryUsed string
}

func (n *notices) of(what countersign.Notice) string {
	return map[countersign.Notice]string{
		countersign.NoticeNumberChanged: n.numberChanged, countersign.NoticeFactorAdded: n.factorAdded,
		countersign.NoticeFactorRemoved: n.factorRemoved, countersign.NoticeFactorLocked: n.factorLocked,
		countersign.NoticeRecoveryUsed: n.recoveryUsed,
	}[what]
}

func builtinNotices() []notices {
	return []notices{
		{
			"en", "{{app}}: ", " If this was not you, contact {{app}}.",
			"the phone number of your account was changed.",
			"a further way to confirm your log-in was added to your account.",
			"a way to confirm your log-in was removed from your account.",
			"wrong codes were entered for your account, several in a row.",
			"a recovery code of your account was used.",
		},
		{
			"es", "{{app}}: ", " Si no fue cosa tuya, contacta con {{app}}.",
			"se ha cambiado el teléfono de tu cuenta.",
			"se ha agregado a tu cuenta otra forma de confirmar el acceso.",
			"se ha quitado de tu cuenta una forma de confirmar el acceso.",
			"alguien ha escrito varias claves incorrectas seguidas en tu cuenta.",
			"se ha usado una clave de respaldo de tu cuenta.",
		},
		{
			"fr", "{{app}} : ", " Si ce n'est pas vous, contactez {{app}}.",
			"le numéro de téléphone de votre compte a été modifié.",
			"un nouveau moyen de confirmer la connexion a été ajouté à votre compte.",
			"un moyen de confirmer la connexion a été retiré de votre compte.",
			"plusieurs codes erronés de suite ont été saisis pour votre compte.",
			"un code de secours de votre compte a été utilisé.",
		},
		{
			"de", "{{app}}: ", " Waren Sie das nicht, wenden Sie sich an {{app}}.",
			"Die Telefonnummer Ihres Kontos wurde geändert.",
			"Ihr Konto hat einen weiteren Weg, die Anmeldung zu bestätigen.",
			"Ein Weg, die Anmeldung zu bestätigen, wurde aus Ihrem Konto entfernt.",
			"Für Ihr Konto wurden mehrmals nacheinander falsche Codes eingegeben.",
			"Ein Wiederherstellungscode Ihres Kontos wurde verwendet.",
		},
		{
			"sv", "{{app}}: ", " Om det inte var du, kontakta {{app}}.",
			"telefonnumret för ditt konto har ändrats.",
			"ett nytt sätt att bekräfta inloggningen har lagts till i ditt konto.",
			"ett sätt att bekräfta inloggningen har tagits bort från ditt konto.",
			"flera felaktiga koder i rad har angetts för ditt konto.",
			"en återställningskod för ditt konto har använts.",
		},
		{
			"pt", "{{app}}: ", " Caso tenha sido outra pessoa, contacte {{app}}.",
			"o telefone da sua conta foi alterado.",
			"foi adicionada à sua conta outra forma de confirmar a entrada.",
			"foi retirada da sua conta uma forma de confirmar a entrada.",
			"houve repetidas tentativas erradas de confirmar a entrada na sua conta.",
			"foi usada uma chave de reserva da sua conta.",
		},
		{
			"ar", "{{app}}: ", " إن لم تكن أنت فتواصل مع {{app}}.",
			"تم تغيير رقم هاتف حسابك.",
			"أُضيفت إلى حسابك طريقة أخرى لتأكيد الدخول.",
			"أُزيلت من حسابك طريقة لتأكيد الدخول.",
			"أُدخلت رموز خاطئة متتالية في حسابك.",
			"استُخدم رمز استرداد لحسابك.",
		},
		{
			"hi", "{{app}}: ", " यह आप नहीं थे, तो {{app}} से संपर्क करें।",
			"आपके खाते का फ़ोन नंबर बदला गया।",
			"आपके खाते में लॉगिन की पुष्टि का एक और तरीका जोड़ा गया।",
			"आपके खाते से लॉगिन की पुष्टि का एक तरीका हटाया गया।",
			"आपके खाते में लगातार कई गलत कोड डाले गए।",
			"आपके खाते का एक रिकवरी कोड इस्तेमाल हुआ।",
		},
		{
			"ja", "{{app}}：", "心当たりがなければ{{app}}にご連絡ください。",
			"アカウントの電話番号が変更されました。",
			"アカウントにログイン確認の方法が追加されました。",
			"アカウントからログイン確認の方法が削除されました。",
			"アカウントで誤ったコードが続けて入力されました。",
			"アカウントの復旧コードが使用されました。",
		},
		{
			"zh", "{{app}}：", "如非本人操作，请联系{{app}}。",
			"您账户的手机号码已更改。",
			"您的账户新增了一种登录确认方式。",
			"您的账户移除了一种登录确认方式。",
			"您的账户被连续多次输入错误验证码。",
			"您账户的一个恢复码已被使用。",
		},
	}
}

// buildNotices prepares them for an app.
func (b *builder) buildNotices() map[countersign.Notice]set {
	all := map[countersign.Notice]set{}
	for _, what := range countersign.Notices() {
		var s set
		for _, n := range builtinNotices() {
			body, err := parse(n.begin + n.of(what) + n.end)
			if err != nil {
				b.fault("the built-in notice %s in %s: %w", what, n.tag, err)
			}
			s.texts = append(s.texts, text{locale: n.tag, body: body.bind(fieldApp, b.options.Name)})
		}
		b.fallbackFirst(s.texts)
		tags := make([]language.Tag, len(s.texts))
		for i, t := range s.texts {
			tags[i] = language.Make(t.locale)
		}
		s.chooser = newChooser(tags)
		all[what] = s
	}
	return all
}

// Notice implements countersign.Texts.
func (c *Catalog) Notice(what countersign.Notice, locale string) countersign.Rendered {
	s, ok := c.notices[what]
	if !ok {
		return countersign.Rendered{}
	}
	t := &s.texts[s.chooser.choose(locale)]
	return countersign.Rendered{Locale: t.locale, Body: string(t.body.render(nil, &values{}))}
}
