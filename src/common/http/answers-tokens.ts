import { Header } from '@nestjs/common';

/**
 * Marks a route whose answer carries a token. Caches do not keep it, and nothing compresses it: the length of
 * a compressed answer tells what a token has in common with the text around it (BREACH).
 */
export const AnswersTokens = () => Header('Cache-Control', 'no-store, no-transform');
