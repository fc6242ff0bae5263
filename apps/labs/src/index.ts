/** The labs: the papers' tables, figures and claims as measurements. Loads no lab before it is run. */
export { ratio, type Claim, type Effort, type Lab, type Progress, type Result, type Row, type Section } from './lab.ts';
export { LABS, type LabRow } from './labs.ts';
export { MODELS, type Model } from './models.ts';
