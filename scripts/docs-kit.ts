/** What the kit's AssemblyScript sources export, as documents show it: signatures and their comments. Part of `npm run docs:tables`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const FOLDER = join(import.meta.dirname, '../packages/libos-kit/assembly');

/** The exports of a source, such as `udp`. Throws if there is none of this name. */
export function kitReference(name: string): string {
  const file = `${name}.ts`;
  const source = ts.createSourceFile(file, readFileSync(join(FOLDER, file), 'utf8'), ts.ScriptTarget.Latest, true);
  const isExported = (node: ts.Statement): boolean =>
    ts.canHaveModifiers(node) &&
    ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true;
  const items = source.statements.filter(isExported).flatMap((node) => itemsOf(node, source));
  return [headOf(source), '', ...items].join('\n');
}

/** The comment with which a file begins: its prose; examples in it are code. */
function headOf(source: ts.SourceFile): string {
  const [range] = ts.getLeadingCommentRanges(source.text, 0) ?? [];
  const lines = source.text
    .slice((range?.pos ?? 0) + 3, (range?.end ?? 2) - 2)
    .split('\n')
    .map((line) => line.replace(/^ ?\* ?/, '').trimEnd());
  const blocks: string[][] = [[]];
  for (const line of lines)
    if (line === '') blocks.push([]);
    else blocks.at(-1)?.push(line);
  return blocks
    .filter((block) => block.some((line) => line.trim() !== ''))
    .map((block) =>
      block.every((line) => line.startsWith('    '))
        ? ['```text', ...block.map((line) => line.slice(4)), '```'].join('\n')
        : block.map((line) => line.trim()).join('\n'),
    )
    .join('\n\n');
}

function itemsOf(node: ts.Statement, source: ts.SourceFile): string[] {
  if (ts.isFunctionDeclaration(node)) return [item(signature(node, source), node)];
  if (ts.isVariableStatement(node)) {
    return node.declarationList.declarations.map((one) => item(one.name.getText(source), node));
  }
  if (ts.isModuleDeclaration(node) && node.body !== undefined && ts.isModuleBlock(node.body)) {
    const names = node.body.statements
      .filter(ts.isVariableStatement)
      .flatMap(({ declarationList }) => declarationList.declarations)
      .map(({ name, initializer }) => `\`${name.getText(source)} = ${initializer?.getText(source) ?? ''}\``);
    return [`${item(node.name.getText(source), node)} ${names.join(', ')}.`];
  }
  if (ts.isClassDeclaration(node)) {
    const members = node.members.filter((one) => !isPrivate(one));
    return [
      item(`class ${node.name?.text ?? ''}`, node),
      ...members.map((one) => `  ${item(signature(one, source), one)}`),
    ];
  }
  return [];
}

function isPrivate(node: ts.ClassElement): boolean {
  const modifiers = ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []) : [];
  return modifiers.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword);
}

/** What stands before the body, without `export` and the like. */
function signature(node: ts.FunctionDeclaration | ts.ClassElement, source: ts.SourceFile): string {
  const body = ('body' in node ? node.body : undefined)?.getStart(source) ?? node.getEnd();
  return source.text
    .slice(node.getStart(source), body)
    .replace(/^(export |declare |function |readonly )+/, '')
    .replace(/\s+/g, ' ')
    .replace(/,? \)/, ')')
    .replace('( ', '(')
    .replace(/[;{ ]+$/, '');
}

/** What has no comment of its own shares that of what stands above it. */
function item(code: string, node: ts.Node): string {
  const comments = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc);
  const text = ts.getTextOfJSDocComment(comments.at(-1)?.comment)?.replace(/\s+/g, ' ');
  return text === undefined || text === '' ? `- \`${code}\`` : `- \`${code}\`: ${text}`;
}
