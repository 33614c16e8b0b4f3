(function () {
  var tip = document.getElementById('tip');
  document.querySelectorAll('.strip').forEach(function (strip) {
    var title = strip.querySelector('title');
    if (title) title.remove();
    strip.addEventListener('pointermove', function (event) {
      tip.textContent = strip.getAttribute('data-tip');
      tip.style.display = 'block';
      var left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
      var top = event.clientY - tip.offsetHeight - 12;
      tip.style.left = Math.max(8, left) + 'px';
      tip.style.top = (top < 8 ? event.clientY + 18 : top) + 'px';
    });
    strip.addEventListener('pointerleave', function () { tip.style.display = 'none'; });
  });
  document.getElementById('save').addEventListener('click', function () {
    var data = document.getElementById('data').textContent;
    this.href = URL.createObjectURL(new Blob([data], { type: 'application/json' }));
  });
})();
