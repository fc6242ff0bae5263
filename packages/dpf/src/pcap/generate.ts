/** From the tree of an expression to a test: in the order in which the expression was written, since words move the layer. */
import { and, not, or, type Test } from './blocks.ts';
import { geneve, mpls, pppoeDiscovery, pppoeSession, vlan, vxlan } from './encapsulation.ts';
import type { Generator } from './generator.ts';
import { ethernetIdentifier, ipv4Identifier, ipv6Identifier, nameHost, numberHost } from './hosts.ts';
import { namedPort, numberedPort, portRange } from './ports.ts';
import {
  atLeastLong,
  atMostLong,
  broadcast,
  byteTest,
  direction,
  interfaceIndex,
  llc,
  multicast,
} from './primitives.ts';
import { protocolChain, protocolName, protocolNumber, protocolWord } from './protocols.ts';
import { refuse } from './refusal.ts';
import { relation } from './relations.ts';
import type { Identifier, Node, NumberedWord, Qualifier } from './syntax.ts';
import type { Token } from './tokens.ts';

function named(g: Generator, qualifier: Qualifier, name: string): Test {
  const { protocol, kind } = qualifier;
  if (protocol === 'decnet') return g.misfit(protocol, 'a name');
  switch (kind) {
    case 'port':
      return namedPort(g, qualifier, name);
    case 'portrange':
      return portRange(g, qualifier, name);
    case 'proto':
      return protocolNumber(g, protocol, protocolName(g, protocol, name));
    case 'protochain':
      return protocolChain(g, protocol, protocolName(g, protocol, name));
    default:
      return nameHost(g, qualifier, name);
  }
}

function numbered(g: Generator, qualifier: Qualifier, value: number): Test {
  const { protocol, kind } = qualifier;
  if (protocol === 'decnet') return g.misfit(protocol, 'a number');
  switch (kind) {
    case 'port':
    case 'portrange':
      return numberedPort(g, qualifier, value);
    case 'proto':
      return protocolNumber(g, protocol, value);
    case 'protochain':
      return protocolChain(g, protocol, value);
    case 'gateway':
      return g.misfit('gateway', 'a number');
    default:
      return numberHost(g, qualifier, value);
  }
}

function identified(g: Generator, qualifier: Qualifier | null, identifier: Identifier): Test {
  const { token } = identifier;
  g.where = token;
  if (qualifier === null)
    return refuse('syntax', token, 'nothing says what this is', { expected: ['host', 'net', 'port', 'proto'] });
  switch (token.kind) {
    case 'number':
      return numbered(g, qualifier, token.value);
    case 'ipv4':
      return ipv4Identifier(g, qualifier, identifier);
    case 'ipv6':
      return ipv6Identifier(g, qualifier, identifier);
    case 'ethernet':
      return ethernetIdentifier(g, qualifier, identifier);
    case 'arcnet':
      return g.unsupported('an address of ARCNET');
    default:
      return named(g, qualifier, token.meaning);
  }
}

function worded(g: Generator, word: NumberedWord, value: Token | null): Test {
  const number = value?.value ?? 0;
  switch (word) {
    case 'less':
      return atMostLong(g, number);
    case 'greater':
      return atLeastLong(g, number);
    case 'ifindex':
      return interfaceIndex(g, number);
    case 'inbound':
    case 'outbound':
      return direction(g, word === 'outbound');
    case 'vlan':
      return vlan(g, value);
    case 'mpls':
      return mpls(g, value);
    case 'pppoed':
      return pppoeDiscovery(g);
    case 'pppoes':
      return pppoeSession(g, value);
    case 'geneve':
      return geneve(g, value);
    case 'vxlan':
      return vxlan(g, value);
  }
}

/** The test of a node. With `isScoped` parentheses keep the layer that words inside them moved to. */
export function generate(g: Generator, node: Node, isScoped: boolean): Test {
  switch (node.kind) {
    case 'chain': {
      let test = generate(g, node.first, isScoped);
      for (const { join, node: next } of node.rest) {
        const second = generate(g, next, isScoped);
        test = join === 'and' ? and(test, second) : or(test, second);
      }
      return test;
    }
    case 'not':
      return not(generate(g, node.node, isScoped));
    case 'group':
      return isScoped ? g.scoped(() => generate(g, node.node, isScoped)) : generate(g, node.node, isScoped);
    case 'identifier':
      return identified(g, node.qualifier, node.identifier);
    case 'protocol':
      g.where = node.at;
      return protocolWord(g, node.at.meaning);
    case 'cast':
      g.where = node.at;
      return node.cast === 'broadcast' ? broadcast(g, node.protocol) : multicast(g, node.protocol);
    case 'relation':
      return relation(g, node.relation, node.left, node.right);
    case 'byte':
      g.where = node.value;
      return byteTest(g, node.index, node.operator, node.value.value);
    case 'llc':
      g.where = node.type ?? node.at;
      return llc(g, node.type?.meaning ?? null);
    case 'word':
      g.where = node.value ?? node.at;
      return worded(g, node.word, node.value);
  }
}
