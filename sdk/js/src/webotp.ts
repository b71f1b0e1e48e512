// Takes the code out of the text message where the browser can (WebOTP): Chrome on Android, from messages that end in
// "@host #code".

interface OTPCredential { code?: string }

/** Gives the code when a message arrives. Nothing happens where the browser cannot, or the person declines. */
export function receiveCode(take: (code: string) => void, signal: AbortSignal): void {
  if (!('OTPCredential' in globalThis)) return;
  const options = { otp: { transport: ['sms'] }, signal } as CredentialRequestOptions;
  navigator.credentials.get(options).then(
    (received) => {
      const code = (received as OTPCredential | null)?.code;
      if (code && !signal.aborted) take(code);
    },
    () => { /* declined, aborted or not allowed here: the person types the code */ },
  );
}
