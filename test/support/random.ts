// Chance for tests: the one that the chaos runner uses too.

export { Random } from '../../ops/history/random.ts'
