// The vendor's Node client against the Twilio face. sdk_test.go starts the face and passes its address.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import twilio from 'twilio';

const { FACE_URL, ACCOUNT, TOKEN, SERVICE } = process.env;

const connect = (account = ACCOUNT, token = TOKEN) => {
  const client = twilio(account, token);
  client.verify.baseUrl = FACE_URL;
  return client.verify.v2;
};
const verify = connect();
const service = verify.services(SERVICE);
const code = async (to) => (await fetch(`${FACE_URL}/test/code?to=${encodeURIComponent(to)}`)).text();
const advance = (by) => fetch(`${FACE_URL}/test/advance?by=${by}`, { method: 'POST' });
const wrong = (text) => text.slice(0, -1) + (text.endsWith('0') ? '1' : '0');
const refused = (promise, status, number) => assert.rejects(promise, (err) => {
  assert.equal(err.constructor.name, 'RestException', String(err));
  assert.equal(err.status, status, err.message);
  assert.equal(err.code, number, err.message);
  assert.equal(err.moreInfo, `https://www.twilio.com/docs/errors/${number}`);
  return true;
});
async function until(done) {
  for (const end = Date.now() + 5000; Date.now() < end;) {
    const v = await done();
    if (v) return v;
    await new Promise((r) => setTimeout(r, 50));
  }
  assert.fail('waited in vain');
}

test('start, wrong code, right code, again, fetch', async () => {
  const to = '+12025550101';
  const v = await service.verifications.create({ to, channel: 'sms', locale: 'en', deviceIp: '203.0.113.7' });
  assert.match(v.sid, /^VE[0-9a-f]{32}$/);
  assert.equal(v.serviceSid, SERVICE);
  assert.equal(v.accountSid, ACCOUNT);
  assert.deepEqual([v.to, v.channel, v.status, v.valid], [to, 'sms', 'pending', false]);
  assert.equal(v.sendCodeAttempts.length, 1);
  assert.equal(v.sendCodeAttempts[0].channel, 'SMS');
  assert.ok(!Number.isNaN(v.dateCreated.getTime()));
  const right = await code(to);
  const no = await service.verificationChecks.create({ to, code: wrong(right) });
  assert.deepEqual([no.status, no.valid, no.sid], ['pending', false, v.sid]);
  assert.equal((await service.verifications(to).fetch()).sid, v.sid);
  const yes = await service.verificationChecks.create({ to, code: right });
  assert.deepEqual([yes.status, yes.valid, yes.sid, yes.to], ['approved', true, v.sid, to]);
  await assert.rejects(service.verificationChecks.create({ verificationSid: v.sid, code: right }), (err) => {
    assert.equal(err.status, 404);
    assert.equal(err.code, 20404);
    assert.match(err.message, new RegExp(`The requested resource /Services/${SERVICE}/VerificationCheck was not found`));
    return true;
  });
  assert.equal((await service.verifications(v.sid).fetch()).status, 'approved');
});

test('five wrong codes are answered, the sixth is 60202', async () => {
  const to = '+12025550102';
  const v = await service.verifications.create({ to, channel: 'sms' });
  const right = await code(to);
  for (let i = 0; i < 5; i++) {
    const no = await service.verificationChecks.create({ verificationSid: v.sid, code: wrong(right) });
    assert.deepEqual([no.status, no.valid], ['pending', false]);
  }
  await refused(service.verificationChecks.create({ verificationSid: v.sid, code: right }), 429, 60202);
  await until(async () => service.verificationChecks.create({ to, code: right }).then(() => false, (e) => e.code === 60202));
  assert.equal((await service.verifications(v.sid).fetch()).status, 'max_attempts_reached');
});

test('a start while one is pending sends the same code under the same SID', async () => {
  const to = '+12025550103';
  const first = await service.verifications.create({ to, channel: 'sms' });
  const right = await code(to);
  await refused(service.verifications.create({ to, channel: 'sms' }), 429, 60203);
  await advance('31s');
  const again = await service.verifications.create({ to, channel: 'call' });
  assert.equal(again.sid, first.sid);
  assert.deepEqual([again.channel, again.sendCodeAttempts.length], ['call', 2]);
  assert.equal(await code(to), right);
  assert.equal((await service.verificationChecks.create({ to, code: right })).status, 'approved');
});

test('cancel and approve', async () => {
  const a = await service.verifications.create({ to: '+12025550104', channel: 'sms' });
  assert.equal((await service.verifications(a.sid).update({ status: 'canceled' })).status, 'canceled');
  await refused(service.verificationChecks.create({ verificationSid: a.sid, code: '123456' }), 404, 20404);
  const b = await service.verifications.create({ to: '+12025550105', channel: 'sms' });
  const vouched = await service.verifications('+12025550105').update({ status: 'approved' });
  assert.deepEqual([vouched.sid, vouched.status, vouched.valid], [b.sid, 'approved', true]);
});

test('expired', async () => {
  const to = '+12025550106';
  await service.verifications.create({ to, channel: 'sms' });
  const right = await code(to);
  await advance('601s');
  await refused(service.verificationChecks.create({ to, code: right }), 404, 20404);
});

test('refusals', async () => {
  await refused(service.verifications.create({ to: '12', channel: 'sms' }), 400, 60200);
  await refused(service.verifications.create({ to: '+12025550107', channel: 'pigeon' }), 400, 60200);
  await refused(service.verifications.create({ to: '+12025550107', channel: 'sna' }), 400, 60223);
  await refused(service.verifications.create({ to: '+12025550107', channel: 'sms', customCode: '1234' }), 400, 60204);
  await refused(service.verifications.create({ to: '+447911123456', channel: 'sms' }), 403, 60605);
  await refused(service.verifications.create({ to: '+12025550107', channel: 'sms', amount: '1 EUR' }), 400, 60206);
  await refused(service.verificationChecks.create({ code: '123456' }), 400, 60221);
  await refused(service.verificationChecks.create({ to: '+12025550108', code: '123456' }), 404, 20404);
  await refused(connect(ACCOUNT, 'wrong').services(SERVICE).fetch(), 401, 20003);
  await refused(connect(ACCOUNT.replace('dec0de', 'facade')).services(SERVICE).fetch(), 401, 20003);
  await refused(verify.services(SERVICE.replace('dec0de', 'facade')).verifications.create({ to: '+12025550107', channel: 'sms' }), 404, 20404);
});

test('a transaction is checked with its amount and payee', async () => {
  const to = '+12025550109';
  const v = await service.verifications.create({ to, channel: 'sms', amount: '39.99 EUR', payee: 'ACME AB' });
  assert.deepEqual([v.amount, v.payee], ['39.99 EUR', 'ACME AB']);
  const right = await code(to);
  await refused(service.verificationChecks.create({ verificationSid: v.sid, code: right }), 400, 60206);
  const other = await service.verificationChecks.create({ verificationSid: v.sid, code: right, amount: '93.99 EUR', payee: 'ACME AB' });
  assert.deepEqual([other.status, other.valid], ['pending', false]);
  const same = await service.verificationChecks.create({ verificationSid: v.sid, code: right, amount: '39.99 EUR', payee: 'ACME AB' });
  assert.deepEqual([same.status, same.valid, same.payee], ['approved', true, 'ACME AB']);
});

test('services', async () => {
  const own = await service.fetch();
  assert.deepEqual([own.friendlyName, own.codeLength], ['Demo', 6]);
  await refused(service.update({ friendlyName: 'Other' }), 403, 60204);
  await refused(service.remove(), 403, 60204);
  await refused(verify.services.create({ friendlyName: 'Shop 12345' }), 400, 60200);
  const made = await verify.services.create({ friendlyName: 'Shop', codeLength: 8 });
  assert.match(made.sid, /^VA[0-9a-f]{32}$/);
  const sids = (await verify.services.list()).map((s) => s.sid);
  assert.deepEqual(sids, [SERVICE, made.sid]);
  assert.equal((await verify.services(made.sid).update({ friendlyName: 'Stall' })).friendlyName, 'Stall');
  const to = '+12025550110';
  const v = await verify.services(made.sid).verifications.create({ to, channel: 'sms' });
  const right = await code(to);
  assert.equal(right.length, 8);
  await refused(service.verificationChecks.create({ to, code: right }), 404, 20404);
  await refused(service.verificationChecks.create({ verificationSid: v.sid, code: right }), 404, 20404);
  assert.equal((await verify.services(made.sid).verificationChecks.create({ verificationSid: v.sid, code: right })).status, 'approved');
  assert.equal(await verify.services(made.sid).remove(), true);
  await refused(verify.services(made.sid).fetch(), 404, 20404);
});

test('rate limits on keys of one\'s own', async () => {
  await refused(service.rateLimits.create({ uniqueName: 'no spaces' }), 400, 60209);
  const limit = await service.rateLimits.create({ uniqueName: 'end_user', description: 'by user' });
  await refused(service.rateLimits.create({ uniqueName: 'end_user' }), 400, 60208);
  const buckets = service.rateLimits(limit.sid).buckets;
  const bucket = await buckets.create({ max: 2, interval: 3600 });
  await refused(buckets.create({ max: 3, interval: 3600 }), 400, 60211);
  const start = (n, user) => service.verifications.create({ to: `+1202555012${n}`, channel: 'sms', rateLimits: { end_user: user } });
  await start(1, 'ann');
  await start(2, 'ann');
  await refused(start(3, 'ann'), 429, 60203);
  await start(3, 'bob');
  await refused(service.verifications.create({ to: '+12025550124', channel: 'sms', rateLimits: { nobody: 'x' } }), 400, 60200);
  assert.equal((await buckets(bucket.sid).update({ max: 5 })).max, 5);
  assert.deepEqual((await buckets.list()).map((b) => b.max), [5]);
  assert.deepEqual((await service.rateLimits.list()).map((l) => l.uniqueName), ['end_user']);
  assert.equal(await buckets(bucket.sid).remove(), true);
  assert.equal(await service.rateLimits(limit.sid).remove(), true);
  await refused(service.rateLimits(limit.sid).fetch(), 404, 20404);
});

test('attempts and their summary', async () => {
  const to = '+12025550130';
  const v = await service.verifications.create({ to, channel: 'sms' });
  await service.verificationChecks.create({ to, code: await code(to) });
  const list = await until(async () => {
    const found = await verify.verificationAttempts.list({ 'channelData.to': to, status: 'CONVERTED' });
    return found.length ? found : null;
  });
  assert.deepEqual([list.length, list[0].verificationSid, list[0].channel, list[0].channelData.to], [1, v.sid, 'sms', to]);
  assert.equal(list[0].sid, v.sendCodeAttempts[0].attempt_sid);
  assert.equal((await verify.verificationAttempts(list[0].sid).fetch()).conversionStatus, 'CONVERTED');
  const all = await verify.verificationAttempts.list({ pageSize: 3 });
  assert.ok(all.length > 5);
  assert.equal(new Set(all.map((a) => a.sid)).size, all.length);
  const s = await verify.verificationAttemptsSummary().fetch();
  assert.equal(s.totalAttempts, all.length);
  assert.equal(s.totalConverted + s.totalUnconverted, s.totalAttempts);
  assert.match(String(s.conversionRatePercentage), /^\d+\.?\d*$/);
});

test('safe list', async () => {
  const entry = await verify.safelist.create({ phoneNumber: '+12025550140' });
  assert.match(entry.sid, /^GN[0-9a-f]{32}$/);
  assert.equal((await verify.safelist('+12025550140').fetch()).sid, entry.sid);
  assert.equal(await verify.safelist('+12025550140').remove(), true);
  await refused(verify.safelist('+12025550140').fetch(), 404, 20404);
});
