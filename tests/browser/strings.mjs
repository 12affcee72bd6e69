// Strings that break pages, by what they try. Each is shown as the text that it is.
const DANGEROUS = {
  'runs as a script': [
    '<script>globalThis.broken = 1</script>', '<SCRIPT SRC=data:text/javascript,globalThis.broken=1></SCRIPT>', '<scr\u0000ipt>globalThis.broken=1</scr\u0000ipt>',
    '"><img src=x onerror="globalThis.broken=1">', "'><img src=x onerror='globalThis.broken=1'>", '<img src=x onerror=globalThis.broken=1//', '<svg onload=globalThis.broken=1>',
    '</title><svg/onload=globalThis.broken=1>', '</textarea><script>globalThis.broken=1</script>', '</style><script>globalThis.broken=1</script>', '</bdi></td><td onmouseover=globalThis.broken=1>x',
    '<details open ontoggle=globalThis.broken=1>', '<input autofocus onfocus=globalThis.broken=1>', '<body onpageshow=globalThis.broken=1>', '<iframe srcdoc="<script>top.broken=1</script>">',
    '<math><mtext><style><img src=x onerror=globalThis.broken=1>', '<a href="javascript:globalThis.broken=1">x</a>', 'javascript:globalThis.broken=1', "JaVaScRiPt:globalThis.broken=1//'",
    '<meta http-equiv="refresh" content="0;url=https://evil.example">', '<base href="https://evil.example/">', '<link rel=stylesheet href=https://evil.example/x.css>', '<form action=https://evil.example><button>Sign in</button></form>',
    '<!--', '-->', ']]>', '<![CDATA[<script>globalThis.broken=1</script>]]>', '&lt;script&gt;globalThis.broken=1&lt;/script&gt;', '&#60;script&#62;', '\\u003cscript\\u003e',
  ],
  'runs as a template': ['${globalThis.broken=1}', '{{constructor.constructor("globalThis.broken=1")()}}', '#{globalThis.broken=1}', '<%= globalThis.broken=1 %>', '`;globalThis.broken=1;`', "');globalThis.broken=1;//"],
  'is a name of the language': ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'undefined', 'null', 'NaN', 'true', '[object Object]'],
  'hides or turns signs': [
    '\u202egnp.exe\u202c', '\u2066left\u2069\u2067right\u2069', '\u200bnothing\u200d\ufeff', 'soft\u00adhyphen', 'pay\u2060pal', '\u061carabic mark', 'a\u0000b\u0007c\u001b[31m', 'line\nfeed\r\ttab', '\u2028line\u2029paragraph',
    'filler\u3164\u115f\uffa0', 'tag\u{e0041}\u{e007f}', 'variation\ufe0f', '\u180emongolian', 'half \ud800 pair', '\udc00 half',
  ],
  'is written elsewhere': ['田中さんにあげて下さい', 'مُنَاقَشَةُ سُبُلِ', 'בְּרֵאשִׁית', 'Ω≈ç√∫˜µ≤≥÷', 'ÅÍÎÏ˝ÓÔÒÚÆ☃', '👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽', 'Z\u0351\u0327\u0349a\u0329\u0333l\u0324g\u0332o', 'ＦＵＬＬ', 'ﷺ'],
  'is large or empty': ['A'.repeat(300), 'Ж'.repeat(200), ' ', '  two  spaces  ', '\u00a0', '.', '-', '0', '1e1000', '12345678901234567890'],
  'is a command elsewhere': ["'; DROP TABLE users; --", '" OR 1=1 --', '../../../etc/passwd', '%00%0d%0aSet-Cookie: x=1', '$(touch /tmp/x)', '`touch /tmp/x`', '; rm -rf /', '=1+1', '@SUM(1)', '%n%s%p', '\\\\server\\share', 'C:\\con'],
  'is an address of ours': ['#/users?q=%', '#/login/x', '%', '%E0%A4%A', '?app=other', '//evil.example', 'a/b?c=d#e&f'],
};

export const KINDS = Object.keys(DANGEROUS).length;
export const STRINGS = Object.values(DANGEROUS).flat();
