import { FilterSet, etherType } from '/tmp/wt/packets/packages/dpf/src/index.ts';
import { compileMips, maxCost } from '/tmp/wt/packets/packages/vcode/src/index.ts';
for (const n of [1,2,50,256]) { const s = new FilterSet({maxFilters:256}); for (let i=0;i<n;i++) s.insert(etherType(0x9000),'all');
 const p = s.copiesProgram({align:4}); const c = compileMips(p,0); console.log('twins', n, c.words.length, maxCost(p)); }
for (const n of [1,2,50,200,256]) { const s = new FilterSet({maxFilters:256}); for (let i=0;i<n;i++) s.insert(etherType(0x9000+i)); const p = s.program({align:4}); console.log('types', n, compileMips(p,0).words.length, maxCost(p)); }
for (const n of [1,2,50,200,256]) { const s = new FilterSet({maxFilters:256}); for (let i=0;i<n;i++) s.insert([{kind:'eq',offset:12+2*i,size:2,value:1}],'all'); const p = s.copiesProgram({align:4}); console.log('fields', n, compileMips(p,0).words.length, maxCost(p)); }
for (const n of [1,2,50,200,256]) { const s = new FilterSet({maxFilters:256}); for (let i=0;i<n;i++) s.insert([{kind:'eq',offset:12+2*i,size:2,value:1}]); const p = s.program({align:4}); console.log('fields win', n, compileMips(p,0).words.length, maxCost(p)); }
