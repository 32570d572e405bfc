import { Header } from '@nestjs/common';

/**
 * Marks a route whose response contains a token. Caches must not store the response and nothing may compress
 * it. The length of a compressed response reveals what the token has in common with the text around it
 * (BREACH).
 */
export const NoStore = () => Header('Cache-Control', 'no-store, no-transform');
