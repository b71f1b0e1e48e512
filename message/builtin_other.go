package message

// The built-in texts of the languages that need UCS-2. Seventy units are little, so their short messages say only
// what must be said.

func otherSpeeches() []speech {
	return []speech{arabic(), hindi(), japanese(), chinese()}
}

// speeches are all built-in languages.
func speeches() []speech { return append(latinSpeeches(), otherSpeeches()...) }

func arabic() speech {
	const mail = "\n\nصالح لمدة {{minutes}} دقيقة. لا تشاركه مع أحد. إذا لم تطلبه فتجاهل هذه الرسالة."
	return speech{
		tag: "ar", pause: "، ",
		signup: words{
			"{{code}} رمز تسجيل {{app}}. لا تشاركه.",
			"رمز التسجيل في {{app}} هو: {{code}}. مرة أخرى: {{code}}. لا تشاركه مع أحد.",
			"رمز التسجيل في {{app}}",
			"{{code}} هو رمز التسجيل في {{app}}." + mail,
		},
		login: words{
			"{{code}} رمز دخول {{app}}. لا تشاركه.",
			"رمز الدخول إلى {{app}} هو: {{code}}. مرة أخرى: {{code}}. لا تشاركه مع أحد.",
			"رمز الدخول إلى {{app}}",
			"{{code}} هو رمز الدخول إلى {{app}}." + mail,
		},
		stepup: words{
			"{{code}} رمز أمان {{app}}. لا تشاركه.",
			"رمز الأمان في {{app}} هو: {{code}}. مرة أخرى: {{code}}. لا تشاركه مع أحد.",
			"رمز الأمان في {{app}}",
			"{{code}} هو رمز الأمان في {{app}}." + mail,
		},
		transaction: words{
			"{{code}} للموافقة على {{amount}} {{currency}} إلى {{payee}} ({{app}}). لا تشاركه.",
			"رمز {{app}} للموافقة على {{amount}} {{currency}} إلى {{payee}} هو: {{code}}. مرة أخرى: {{code}}. لا تشاركه مع أحد.",
			"رمز الموافقة في {{app}}",
			"{{code}} للموافقة على {{amount}} {{currency}} إلى {{payee}} ({{app}})." + mail,
		},
	}
}

func hindi() speech {
	const mail = "\n\nयह {{minutes}} मिनट तक मान्य है। इसे किसी से साझा न करें। अगर आपने इसे नहीं माँगा, तो इस संदेश को अनदेखा करें।"
	return speech{
		tag: "hi", pause: ", ",
		signup: words{
			"{{code}} {{app}} साइन-अप कोड, साझा न करें",
			"{{app}} के लिए आपका साइन-अप कोड है: {{code}}। फिर से: {{code}}। इसे किसी से साझा न करें।",
			"{{app}} के लिए आपका साइन-अप कोड",
			"{{code}} {{app}} के लिए आपका साइन-अप कोड है।" + mail,
		},
		login: words{
			"{{code}} {{app}} लॉगिन कोड, साझा न करें",
			"{{app}} के लिए आपका लॉगिन कोड है: {{code}}। फिर से: {{code}}। इसे किसी से साझा न करें।",
			"{{app}} के लिए आपका लॉगिन कोड",
			"{{code}} {{app}} के लिए आपका लॉगिन कोड है।" + mail,
		},
		stepup: words{
			"{{code}} {{app}} सुरक्षा कोड, साझा न करें",
			"{{app}} के लिए आपका सुरक्षा कोड है: {{code}}। फिर से: {{code}}। इसे किसी से साझा न करें।",
			"{{app}} के लिए आपका सुरक्षा कोड",
			"{{code}} {{app}} के लिए आपका सुरक्षा कोड है।" + mail,
		},
		transaction: words{
			"{{code}} से {{payee}} को {{amount}} {{currency}} की मंज़ूरी ({{app}}), साझा न करें",
			"{{payee}} को {{amount}} {{currency}} की मंज़ूरी के लिए {{app}} का कोड है: {{code}}। फिर से: {{code}}। इसे किसी से साझा न करें।",
			"{{app}} का मंज़ूरी कोड",
			"{{code}} से {{payee}} को {{amount}} {{currency}} की मंज़ूरी दें ({{app}})।" + mail,
		},
	}
}

func japanese() speech {
	const mail = "\n\n有効時間は{{minutes}}分です。他人に教えないでください。心当たりがない場合は、このメッセージを無視してください。"
	return speech{
		tag: "ja", pause: "、",
		signup: words{
			"{{code}} は{{app}}の登録コードです。教えないでください。",
			"{{app}}の登録コードは、{{code}}です。繰り返します。{{code}}です。他人に教えないでください。",
			"{{app}}の登録コード",
			"{{code}} は{{app}}の登録コードです。" + mail,
		},
		login: words{
			"{{code}} は{{app}}のログインコードです。教えないでください。",
			"{{app}}のログインコードは、{{code}}です。繰り返します。{{code}}です。他人に教えないでください。",
			"{{app}}のログインコード",
			"{{code}} は{{app}}のログインコードです。" + mail,
		},
		stepup: words{
			"{{code}} は{{app}}の本人確認コードです。教えないでください。",
			"{{app}}の本人確認コードは、{{code}}です。繰り返します。{{code}}です。他人に教えないでください。",
			"{{app}}の本人確認コード",
			"{{code}} は{{app}}の本人確認コードです。" + mail,
		},
		transaction: words{
			"{{code}} {{payee}}への{{amount}} {{currency}}の承認コード({{app}})。教えないでください。",
			"{{payee}}への{{amount}} {{currency}}を承認する{{app}}のコードは、{{code}}です。繰り返します。{{code}}です。他人に教えないでください。",
			"{{app}}の承認コード",
			"{{code}} は{{payee}}への{{amount}} {{currency}}の承認コードです({{app}})。" + mail,
		},
	}
}

func chinese() speech {
	const mail = "\n\n{{minutes}}分钟内有效，请勿告诉他人。如非本人操作，请忽略此消息。"
	return speech{
		tag: "zh", pause: "、",
		signup: words{
			"{{code}} 是{{app}}的注册验证码，请勿告诉他人。",
			"您的{{app}}注册验证码是：{{code}}。重复一遍：{{code}}。请勿告诉他人。",
			"{{app}}注册验证码",
			"{{code}} 是{{app}}的注册验证码。" + mail,
		},
		login: words{
			"{{code}} 是{{app}}的登录验证码，请勿告诉他人。",
			"您的{{app}}登录验证码是：{{code}}。重复一遍：{{code}}。请勿告诉他人。",
			"{{app}}登录验证码",
			"{{code}} 是{{app}}的登录验证码。" + mail,
		},
		stepup: words{
			"{{code}} 是{{app}}的安全验证码，请勿告诉他人。",
			"您的{{app}}安全验证码是：{{code}}。重复一遍：{{code}}。请勿告诉他人。",
			"{{app}}安全验证码",
			"{{code}} 是{{app}}的安全验证码。" + mail,
		},
		transaction: words{
			"{{code}} 用于向{{payee}}支付{{amount}} {{currency}}({{app}})，请勿告诉他人。",
			"{{app}}向{{payee}}支付{{amount}} {{currency}}的验证码是：{{code}}。重复一遍：{{code}}。请勿告诉他人。",
			"{{app}}支付验证码",
			"{{code}} 用于向{{payee}}支付{{amount}} {{currency}}({{app}})。" + mail,
		},
	}
}
