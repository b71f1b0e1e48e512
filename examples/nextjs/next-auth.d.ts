import 'next-auth';

declare module 'next-auth' {
  interface Session {
    user: { phone: string; second: boolean };
  }
  interface User {
    phone: string;
    second: boolean;
  }
}

declare module 'next-auth/jwt' {
  interface JWT {
    phone?: string;
    second?: boolean;
  }
}
