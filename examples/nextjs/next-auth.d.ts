import 'next-auth';

declare module 'next-auth' {
  interface Session {
    user: { phone: string };
  }
  interface User {
    phone: string;
  }
}

declare module 'next-auth/jwt' {
  interface JWT {
    phone?: string;
  }
}
