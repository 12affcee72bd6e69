// The types of calls and of their answers, from the document of the program: see types.mjs.
import type { components, paths } from "./types/openapi";

type Method = "GET" | "POST" | "PUT" | "DELETE";

/** The calls of the document with a method. */
export type Routes<M extends Method> = { [R in keyof paths]: paths[R] extends Record<Lowercase<M>, { responses: any }> ? R : never }[keyof paths];

type Operation<M extends Method, R extends keyof paths> = paths[R] extends Record<Lowercase<M>, infer O> ? O : never;
type Parameters<O, In extends string> = O extends { parameters: { [I in In]?: infer P } } ? P : never;
type Json<C> = C extends { content: { "application/json": infer B } } ? B : never;

/** The names in the path of a call. */
export type Names<M extends Method, R extends keyof paths> = { [N in keyof Parameters<Operation<M, R>, "path">]: string | number };

/** The parameters of a call, by name; any value that is not empty is written as text. */
export type Query<M extends Method, R extends keyof paths> = { [N in keyof Parameters<Operation<M, R>, "query">]?: string | number | boolean | null };

/** The body of a call. */
export type Body<M extends Method, R extends keyof paths> = Operation<M, R> extends { requestBody?: infer B } ? Json<NonNullable<B>> : never;

/** What a call answers where it succeeds. */
export type Answer<M extends Method, R extends keyof paths> =
  Operation<M, R> extends { responses: infer A } ? Json<A[Extract<keyof A, 200 | 201 | 202>]> : never;

/** A call as api.js makes it; `A` is its answer. */
export type Call<A = any> = {
  method: string;
  path: string;
  query?: any;
  body?: any;
  headers?: Record<string, string>;
  accept?: string;
  /** The answer is taken as bytes. */
  bytes?: boolean;
  /** No member: it carries the type. */
  answer?: A;
};

/** A call without its answer in JSON: with bytes, or a stream. */
export type More = Pick<Call, "headers" | "accept" | "bytes">;

/** A schema of the document. */
export type Schema<N extends keyof components["schemas"]> = components["schemas"][N];

/** A column of a table: see parts/page.js. */
export type Column<Row> = { name: string; head: any; cell: (row: Row) => any; kind?: string; sort?: string; says?: string; personal?: boolean };
