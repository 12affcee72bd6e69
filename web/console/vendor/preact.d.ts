// The types of vendor/preact.js, for `tsc`. A state or a reference without a first value may be anything.
import type { h } from "preact";

export { Component, createContext, Fragment, h, render } from "preact";
export { useCallback, useContext, useEffect, useId, useLayoutEffect, useMemo, useReducer } from "preact/hooks";
export const html: (strings: TemplateStringsArray, ...values: any[]) => ReturnType<typeof h>;
export const useState: <S = any>(first?: S | (() => S)) => [S, (next?: S | ((before: S) => S)) => void];
export const useRef: <T = any>(first?: T) => { current: T };
