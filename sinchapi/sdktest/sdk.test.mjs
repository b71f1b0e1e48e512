// The vendor's Node client against the Sinch face. sdk_test.go starts the face and passes its address.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VerificationService, VerificationCallbackWebhooks } from '@sinch/verification';

// The client signs the time to the millisecond, and the face takes a signature once: the same request twice within one
// millisecond, as only a test sends it, would be refused. Each request has a time of its own here.
let last = 0;
globalThis.Date = class extends Date {
  constructor(...args) {
    if (args.length === 0) last = Math.max(last + 1, Date.now());
    super(...(args.length === 0 ? [last] : args));
  }
};

const { FACE_URL, APP_URL, APP_KEY, APP_SECRET } = process.env;
const endpoint = '+12025550134';
const identity = () => ({ type: 'number', endpoint });

const client = (more = {}) => new VerificationService({
  applicationKey: APP_KEY, applicationSecret: APP_SECRET, verificationHostname: FACE_URL, ...more,
});
const { verifications, verificationStatus } = client();

async function refused(promise, statusCode, errorCode) {
  await assert.rejects(promise, (err) => {
    assert.equal(err.statusCode, statusCode, err.message);
    assert.equal(JSON.parse(err.data).errorCode, errorCode);
    return true;
  });
}

const startSms = (more = {}) => verifications.startSms({
  startVerificationWithSmsRequestBody: { identity: identity(), ...more },
});
const startFlashCall = () => verifications.startFlashCall({
  startVerificationWithFlashCallRequestBody: { identity: identity(), flashCallOptions: { dialTimeout: 10, interceptionTimeout: 45 } },
});
const startPhoneCall = () => verifications.startPhoneCall({
  startVerificationWithPhoneCallRequestBody: { identity: identity(), phoneCallOptions: { speech: { locale: 'fr-FR' } } },
});
const startWhatsApp = () => verifications.startWhatsApp({
  startVerificationWithWhatsAppRequestBody: { identity: identity(), whatsappOptions: { codeType: 'Numeric', fooKey: 'foo value' } },
});

test('sms: start, wrong code, right code, status', async () => {
  const started = await startSms({ reference: 'order-17', custom: 'c', smsOptions: { locale: 'sv-SE', codeType: 'Alphanumeric', expiry: '00:05:00' } });
  assert.equal(started.method, 'sms');
  assert.equal(started.sms.template, 'Din verifieringskod är {{CODE}}.');
  assert.equal(started.sms.codeType, 'Alphanumeric');
  assert.equal(started._links.length, 2);

  const report = (code) => verifications.reportSmsById({ id: started.id, reportSmsVerificationByIdRequestBody: { sms: { code } } });
  await refused(report('ZZZZZZ'), 400, 40003);
  await refused(report('1234'), 400, 40003);
  assert.equal((await verificationStatus.getById({ id: started.id })).status, 'PENDING');

  const reported = await report('A2C4E6');
  assert.deepEqual([reported.id, reported.method, reported.status], [started.id, 'sms', 'SUCCESSFUL']);
  await refused(report('A2C4E6'), 409, 40900);

  for (const status of [
    await verificationStatus.getById({ id: started.id }),
    await verificationStatus.getByIdentity({ endpoint, method: 'sms' }),
    await verificationStatus.getByReference({ reference: 'order-17' }),
  ]) {
    assert.equal(status.id, started.id);
    assert.equal(status.status, 'SUCCESSFUL');
    assert.equal(status.reference, 'order-17');
    assert.deepEqual(status.identity, identity());
    assert.equal(status.countryId, 'US');
    assert.ok(status.verificationTimestamp instanceof Date && !Number.isNaN(status.verificationTimestamp.getTime()));
  }
});

test('sms: expiry as a date, report by number', async () => {
  const started = await startSms({ smsOptions: { expiry: new Date('2000-01-01T00:05:00Z') } });
  const reported = await verifications.reportSmsByIdentity({ endpoint, reportSmsVerificationByIdentityRequestBody: { sms: { code: '123456', cli: 'SinchTest' } } });
  assert.deepEqual([reported.id, reported.status], [started.id, 'SUCCESSFUL']);
});

test('flash call', async () => {
  for (const by of ['id', 'number']) {
    const started = await startFlashCall();
    assert.equal(started.method, 'flashcall');
    assert.equal(started.flashCall.cliFilter, '(.*)8156(.*)');
    const flashCall = { cli: '+18156540001' };
    const reported = by === 'id'
      ? await verifications.reportFlashCallById({ id: started.id, reportFlashCallVerificationByIdRequestBody: { flashCall } })
      : await verifications.reportFlashCallByIdentity({ endpoint, reportFlashCallVerificationByIdentityRequestBody: { flashCall } });
    assert.equal(reported.status, 'SUCCESSFUL');
    assert.equal(reported.callComplete, true);
    assert.equal((await verificationStatus.getByIdentity({ endpoint, method: 'flashcall' })).id, started.id);
  }
});

test('phone call', async () => {
  for (const by of ['id', 'number']) {
    const started = await startPhoneCall();
    assert.equal(started.method, 'callout');
    const phoneCall = { code: '123456' };
    const reported = by === 'id'
      ? await verifications.reportPhoneCallById({ id: started.id, reportPhoneCallVerificationByIdRequestBody: { phoneCall } })
      : await verifications.reportPhoneCallByIdentity({ endpoint, reportPhoneCallVerificationByIdentityRequestBody: { phoneCall } });
    assert.equal(reported.status, 'SUCCESSFUL');
    assert.equal((await verificationStatus.getByIdentity({ endpoint, method: 'phonecall' })).id, started.id);
  }
});

test('whatsapp', async () => {
  for (const by of ['id', 'number']) {
    const started = await startWhatsApp();
    assert.deepEqual(started.whatsapp, { codeType: 'Numeric' });
    const whatsapp = { code: '123456' };
    const reported = by === 'id'
      ? await verifications.reportWhatsAppById({ id: started.id, reportWhatsAppVerificationByIdRequestBody: { whatsapp } })
      : await verifications.reportWhatsAppByIdentity({ endpoint, reportWhatsAppVerificationByIdentityRequestBody: { whatsapp } });
    assert.equal(reported.status, 'SUCCESSFUL');
    assert.equal((await verificationStatus.getByIdentity({ endpoint, method: 'whatsapp' })).id, started.id);
  }
});

test('seamless', async () => {
  const started = await verifications.startData({ startDataVerificationRequestBody: { identity: identity() } });
  assert.equal(started.seamless.targetUri, `${FACE_URL}/dev/seamless/${started.id}`);
  assert.equal((await verificationStatus.getById({ id: started.id })).status, 'PENDING');
});

test('a newer start ends the older one', async () => {
  const first = await startSms();
  const second = await startSms();
  assert.equal((await verificationStatus.getById({ id: first.id })).status, 'ABORTED');
  assert.equal((await verificationStatus.getById({ id: second.id })).status, 'PENDING');
  const late = await verifications.reportSmsById({ id: first.id, reportSmsVerificationByIdRequestBody: { sms: { code: '123456' } } });
  assert.equal(late.status, 'ABORTED');
});

test('five wrong codes end it', async () => {
  const { id } = await startSms();
  const report = () => verifications.reportSmsById({ id, reportSmsVerificationByIdRequestBody: { sms: { code: '000000' } } });
  for (let i = 0; i < 5; i++) await refused(report(), 400, 40003);
  const ended = await report();
  assert.deepEqual([ended.status, ended.reason], ['FAIL', 'Invalid code']);
});

test('refusals', async () => {
  await refused(startSms({ identity: { type: 'number', endpoint: '12025550134' } }), 400, 40005);
  await refused(startSms({ identity: { type: 'number', endpoint: '+4813' } }), 400, 40001);
  await refused(verificationStatus.getById({ id: 'ver_none' }), 404, 40400);
  await refused(verificationStatus.getByReference({ reference: 'none' }), 404, 40400);
  const stranger = client({ applicationSecret: 'c29tZWJvZHkgZWxzZQ==' });
  await refused(stranger.verificationStatus.getById({ id: 'ver_none' }), 401, 40102);
});

// The client signs the path unescaped and sends it escaped.
test('a reference that needs escaping', async () => {
  const { id } = await startSms({ reference: 'ref sms é' });
  assert.equal((await verificationStatus.getByReference({ reference: 'ref sms é' })).id, id);
});

test('callbacks are signed as the client expects', async () => {
  const { id } = await startSms({ reference: 'order-18', custom: 'c' });
  await verifications.reportSmsById({ id, reportSmsVerificationByIdRequestBody: { sms: { code: '123456' } } });
  // The app answers once it has the result of this verification.
  const callbacks = await (await fetch(`${APP_URL}/captured?id=${id}`)).json();
  const webhooks = new VerificationCallbackWebhooks({ applicationKey: APP_KEY, applicationSecret: APP_SECRET });
  const events = callbacks.map(({ headers, body, path, method }) => {
    assert.equal(webhooks.validateAuthenticationHeader(headers, body, path, method), true);
    assert.equal(webhooks.validateAuthenticationHeader(headers, `${body} `, path, method), false);
    return webhooks.parseEvent(JSON.parse(body));
  });
  assert.deepEqual(events.map((e) => e.event), ['VerificationRequestEvent', 'VerificationResultEvent']);
  for (const e of events) {
    assert.deepEqual([e.id, e.method, e.reference, e.custom], [id, 'sms', 'order-18', 'c']);
    assert.deepEqual(e.identity, identity());
  }
  assert.equal(events[1].status, 'SUCCESSFUL');
});
