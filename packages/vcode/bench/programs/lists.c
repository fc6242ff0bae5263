/* A linked list: build, merge sort, find, reverse. */
struct node {
  struct node *next;
  int key;
  int value;
};
static struct node pool[2000];
static struct node *merge(struct node *a, struct node *b) {
  struct node head, *tail = &head;
  while (a && b) {
    if (a->key <= b->key) {
      tail->next = a;
      a = a->next;
    } else {
      tail->next = b;
      b = b->next;
    }
    tail = tail->next;
  }
  tail->next = a ? a : b;
  return head.next;
}
static struct node *sort(struct node *list) {
  if (!list || !list->next) return list;
  struct node *slow = list, *fast = list->next;
  while (fast && fast->next) {
    slow = slow->next;
    fast = fast->next->next;
  }
  struct node *second = slow->next;
  slow->next = 0;
  return merge(sort(list), sort(second));
}
static int find(struct node *list, int key) {
  for (; list; list = list->next)
    if (list->key == key) return list->value;
  return -1;
}
static struct node *reverse(struct node *list) {
  struct node *before = 0;
  while (list) {
    struct node *next = list->next;
    list->next = before;
    before = list;
    list = next;
  }
  return before;
}
unsigned run(void) {
  unsigned seed = 12345, sum = 0;
  struct node *list = 0;
  for (int i = 0; i < 2000; i++) {
    seed = seed * 1664525 + 1013904223;
    pool[i].key = (seed >> 12) & 0xffff;
    pool[i].value = i;
    pool[i].next = list;
    list = &pool[i];
  }
  list = sort(list);
  for (int i = 0; i < 100; i++) sum = sum * 17 + find(list, pool[i * 19].key);
  list = reverse(list);
  for (struct node *p = list; p; p = p->next) sum = sum * 31 + p->key;
  return sum;
}
