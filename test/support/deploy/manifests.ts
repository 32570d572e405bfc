import { fileURLToPath } from 'node:url';
import type { Model } from '@kubernetes-models/base';
import type { IDeployment } from 'kubernetes-models/apps/v1/Deployment';
import type { IJob } from 'kubernetes-models/batch/v1/Job';
import type { IPodTemplateSpec } from 'kubernetes-models/v1/PodTemplateSpec';
import ts from 'typescript';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

/** Reads what helm or kustomize printed. Throws on faulty YAML, a repeated key included. */
export function readManifests(text: string): Manifest[] {
  const documents = parseAllDocuments(text, { merge: true });
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    const manifest = document.toJS() as Manifest | null;
    return manifest === null ? [] : [manifest];
  });
}

/** The part of the Prometheus Operator's type that the manifests use; kubernetes-models has only the core's. */
const ServiceMonitor = z.strictObject({
  apiVersion: z.literal('monitoring.coreos.com/v1'),
  kind: z.literal('ServiceMonitor'),
  metadata: z.strictObject({
    name: z.string(),
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()),
  }),
  spec: z.strictObject({
    selector: z.strictObject({ matchLabels: z.record(z.string(), z.string()) }),
    endpoints: z.array(
      z.strictObject({
        port: z.string(),
        path: z.string(),
        interval: z.string().regex(/^\d+s$/),
        scrapeTimeout: z.string().regex(/^\d+s$/),
        authorization: z.strictObject({
          type: z.literal('Bearer').optional(),
          credentials: z.strictObject({ name: z.string(), key: z.string() }),
        }),
      }),
    ),
  }),
});

/** Returns what the types of Kubernetes find wrong, unknown keys included. */
export async function faultsOf(manifests: readonly Manifest[]): Promise<string[]> {
  const [monitors, core] = [manifests.filter(isMonitor), manifests.filter((each) => !isMonitor(each))];
  const ofMonitors = monitors.flatMap((each) => ServiceMonitor.safeParse(each).error?.issues ?? []);
  const ofCore = await Promise.all(core.map(validate));
  return [
    ...ofMonitors.map(({ message }) => `ServiceMonitor: ${message}`),
    ...ofCore.flat(),
    ...compile(core),
  ];
}

const isMonitor = ({ kind }: Manifest): boolean => kind === 'ServiceMonitor';

/** Validates formats and required fields with the schemas of kubernetes-models, which let unknown keys pass. */
async function validate(manifest: Manifest): Promise<string[]> {
  const { apiVersion, kind } = manifest;
  const models = (await import(`kubernetes-models/${apiVersion}`)) as Record<
    string,
    new (data: Manifest) => Model<object>
  >;
  const Kind = models[kind];
  if (Kind === undefined) return [`${apiVersion} has no ${kind}`];
  try {
    new Kind(manifest).validate();
    return [];
  } catch (error) {
    return [`${kind} ${manifest.metadata.name}: ${String(error)}`];
  }
}

/** The parsed declarations of the types, which several programs share. */
const parsed = new Map<string, ts.SourceFile | undefined>();

/** The name of the generated module. It exists only in the compiler's memory, beside this file to find the packages. */
const MODULE = fileURLToPath(new URL('./manifests-to-check.ts', import.meta.url));

/**
 * Compiles the manifests as object literals of their types, because the compiler refuses unknown keys in a literal at every
 * depth.
 */
function compile(manifests: readonly Manifest[]): string[] {
  const source = manifests
    .map((manifest, index) => {
      const type = `import('kubernetes-models/${manifest.apiVersion}/${manifest.kind}').I${manifest.kind}`;
      return `export const manifest${index}: ${type} = ${JSON.stringify(manifest)};\n`;
    })
    .join('');
  const options = {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2024,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
  };
  const files = ts.createCompilerHost(options);
  const host: ts.CompilerHost = {
    ...files,
    readFile: (path) => (path === MODULE ? source : files.readFile(path)),
    fileExists: (path) => path === MODULE || files.fileExists(path),
    getSourceFile: (path, target, ...rest) => {
      if (path === MODULE) return ts.createSourceFile(path, source, target);
      const file = parsed.get(path) ?? files.getSourceFile(path, target, ...rest);
      parsed.set(path, file);
      return file;
    },
  };
  const program = ts.createProgram([MODULE], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ messageText, start }) => {
    const line = source.slice(0, start).split('\n').length - 1;
    const { kind, metadata } = manifests[line] ?? { kind: 'compiler', metadata: { name: '' } };
    return `${kind} ${metadata.name}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}

export const podsOf = (
  manifests: readonly Manifest[],
): { service: IPodTemplateSpec; migration: IPodTemplateSpec | undefined } => ({
  service: deploymentOf(manifests).spec!.template,
  migration: manifests.filter((each): each is Manifest & IJob => each.kind === 'Job')[0]?.spec?.template,
});

export function deploymentOf(manifests: readonly Manifest[]): IDeployment {
  const [deployment, ...more] = manifests.filter(
    (each): each is Manifest & IDeployment => each.kind === 'Deployment',
  );
  if (deployment === undefined || more.length > 0) throw new Error('there must be one Deployment');
  return deployment;
}
