"""The JavaScript that surrounds a user's script: takes its input in, its result out, and bounds what runs natively."""

from __future__ import annotations

from typing import Final

#: Evaluates to ``run(source, bindings, only_check)``; source and bindings are JSON texts. It returns a text: "v" and
#: the result as JSON, "e" and a line per stack entry below the message, or "l" and the name of a limit.
#:
#: Everything that reads the user's objects happens in here, while the clock runs: outside, converting a thrown object
#: or calling ``toJSON`` would run the user's code without any limit. That is also why interruptions, which no script
#: can catch, get a text of their own that no script can change.
#:
#: The interpreter looks at the clock once in ten thousand calls and turns of a loop, and some native methods never do.
#: Those that could run for hours on one short script (lists with a huge length, searching a long text in a longer
#: one) are measured first; big but bounded ones make the clock be looked at. Big integers, whose arithmetic takes as
#: long and cannot be measured, are not offered, nor is building code from text, which could bring them back.
#: It stands on one line, so that every other line number in a stack is the script's own, plus one.
RUN: Final = r"""
(function () {
  const evaluate = eval, { parse, stringify } = JSON, { apply, ownKeys } = Reflect, { isArray } = Array;
  const { defineProperty, getPrototypeOf, freeze } = Object, global = globalThis;
  const ArrayPrototype = Array.prototype, StringPrototype = String.prototype, { map, join } = ArrayPrototype;
  const plainNumber = Number, dateOf = Date.prototype.getTime;
  const MOST = 1000000, MOST_COMPARED = 20000000;
  let exceeded = null, work = 0;

  const fixed = (object, name, value) => defineProperty(object, name, { value, writable: false, configurable: false });
  const put = (object, name, value) =>
    defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });

  fixed(InternalError.prototype, 'toString', function () { return 'InternalError: ' + this.message; });
  freeze(InternalError.prototype);
  fixed(Error, 'prepareStackTrace', undefined);
  fixed(Error, 'stackTraceLimit', 10);

  function spend(cost, most) {
    if (!(cost <= most)) {
      exceeded = 'work';
      throw new RangeError('too much work for one native call');
    }
    work += cost;
    if (work > MOST) {
      work = 0;
      for (let turn = 0; turn < 10001; turn++);
    }
  }
  const lengthOf = (value) => value !== null && typeof value === 'object' ? plainNumber(value.length) || 0 : 0;

  /* Class bodies are strict, so that a method called on nothing fails as the native one does. */
  for (const name of ['join', 'toLocaleString', 'shift', 'unshift', 'reverse', 'sort', 'slice', 'splice', 'copyWithin',
                      'concat', 'lastIndexOf', 'toReversed', 'toSorted', 'toSpliced', 'indexOf', 'includes', 'fill']) {
    const native = ArrayPrototype[name];
    put(ArrayPrototype, name, (class { static [name](...given) {
      let length = lengthOf(this);
      if (name === 'concat') for (let i = 0; i < given.length; i++) length += lengthOf(given[i]);
      spend(length, MOST);
      return apply(native, this, given);
    } })[name]);
  }
  function flatten(list, depth, into) {
    for (let i = 0; i < list.length; i++) {
      if (!(i in list)) continue;
      const element = list[i];
      if (depth > 0 && isArray(element)) flatten(element, depth - 1, into);
      else put(into, into.length, element), defineProperty(into, into.length - 1, { enumerable: true });
    }
    return into;
  }
  put(ArrayPrototype, 'flat', function flat(depth = 1) { return flatten(this, depth, []); });
  /* Conductor's lists are Java's, and old scripts call these. */
  put(ArrayPrototype, 'get', function get(index) { return this[index]; });
  put(ArrayPrototype, 'size', function size() { return this.length; });
  put(ArrayPrototype, 'isEmpty', function isEmpty() { return this.length === 0; });
  put(ArrayPrototype, 'contains', function contains(sought) { return this.includes(sought); });
  put(ArrayPrototype, 'flatMap', function flatMap(f, self) { return flatten(apply(map, this, [f, self]), 1, []); });

  const symbols = { split: Symbol.split, replace: Symbol.replace, replaceAll: Symbol.replace };
  for (const name of ['indexOf', 'lastIndexOf', 'includes', 'split', 'replace', 'replaceAll']) {
    const native = StringPrototype[name], symbol = symbols[name];
    put(StringPrototype, name, (class { static [name](sought, ...given) {
      if (this === null || this === undefined) throw new TypeError('cannot search ' + this);
      const complex = sought !== null && (typeof sought === 'object' || typeof sought === 'function');
      if (complex && symbol && sought[symbol]) return apply(native, this, [sought, ...given]);
      if (!symbol && sought instanceof RegExp) return apply(native, this, [sought, ...given]);
      if (name === 'split' && sought === undefined) return apply(native, this, [sought, ...given]);
      const text = `${this}`, pattern = `${sought}`;
      spend(text.length * (pattern.length + 1), MOST_COMPARED);
      return apply(native, text, [pattern, ...given]);
    } })[name]);
  }
  const raw = String.raw;
  put(String, 'raw', function (strings, ...given) {
    spend(lengthOf(strings.raw), MOST);
    return raw(strings, ...given);
  });
  put(JSON, 'stringify', function (value, replacer, space) {
    spend(isArray(replacer) ? replacer.length : 0, MOST);
    return stringify(value, replacer, space);
  });
  const drop = Iterator.prototype.drop;
  put(Iterator.prototype, 'drop', function (count) {
    spend(plainNumber(count), MOST);
    return apply(drop, this, [count]);
  });

  for (const example of [function () {}, function* () {}, async function () {}, async function* () {}]) {
    put(getPrototypeOf(example), 'constructor', undefined);
  }
  for (const name of ['eval', 'Function', 'BigInt', 'BigInt64Array', 'BigUint64Array', 'Atomics']) delete global[name];
  for (const name of ['getBigInt64', 'getBigUint64']) delete DataView.prototype[name];

  function exported(key) {
    const value = this[key];
    switch (typeof value) {
      case 'undefined': return null;
      case 'function': case 'symbol': return {};
      case 'number': return value - value === 0 ? value : `${value}`;
      case 'object':
        try { apply(dateOf, value, []); return {}; } catch { return value; }
      default: return value;
    }
  }
  function limitOf(error) {
    if (exceeded) return exceeded;
    if (error === null) return 'memory';
    const { message } = error instanceof InternalError ? error : {};
    if (message === 'out of memory' || message === 'string too long') return 'memory';
    return error instanceof RangeError && error.message === 'Maximum call stack size exceeded' ? 'stack' : null;
  }
  /* A sum of long texts is kept in parts, which the other side cannot read; joining makes it one. */
  const answer = (kind, json) => apply(join, [kind, json], ['']);

  function described(error) {
    const limit = limitOf(error);
    if (limit) return 'l' + limit;
    const stack = typeof error === 'object' ? error.stack : undefined;
    return answer('e', stringify([`${error}`, typeof stack === 'string' ? stack : '']));
  }

  return function run(source, bindings, onlyCheck) {
    let names = [];
    exceeded = null;
    try {
      const text = parse(source), given = parse(bindings);
      names = ownKeys(given);
      for (let i = 0; i < names.length; i++) put(global, names[i], given[names[i]]);
      let result;
      try {
        result = evaluate((onlyCheck ? 'throw 0;' : '') + '\n' + text);
      } catch (error) {
        if (onlyCheck && error === 0) return 'vnull';
        return described(error);
      }
      const json = stringify({ result }, exported);
      return exceeded ? 'l' + exceeded : answer('v', json);
    } catch (error) {
      try {
        const limit = limitOf(error);
        return limit ? 'l' + limit : answer('e', stringify([`the result cannot be written as JSON: ${error}`, '']));
      } catch {
        return 'lmemory';
      }
    } finally {
      for (let i = 0; i < names.length; i++) delete global[names[i]];
    }
  };
})()
""".replace("\n", " ")
