export const BUILD_INFO = 'build_info';
