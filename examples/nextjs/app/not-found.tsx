import Link from 'next/link';

export default function NotFound() {
  return (
    <>
      <h1>There is no such page</h1>
      <p className="lead">The address is wrong, or what was here is gone.</p>
      <div className="buttons"><Link className="action" href="/">To the shop</Link></div>
    </>
  );
}
